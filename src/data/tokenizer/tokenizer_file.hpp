#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/added_tokens.hpp"
#include "data/tokenizer/bpe_model.hpp"
#include "data/tokenizer/decoder.hpp"
#include "data/tokenizer/normalizer.hpp"
#include "data/tokenizer/pre_tokenizer.hpp"

namespace polytrain {

// What a Hugging Face tokenizer.json of type BPE says, checked.
struct TokenizerFile {
    Normalizer normalizer;
    std::vector<AddedToken> added;
    std::vector<SplitStep> pre_tokenizer;
    BpeSpec model;
    int64_t duplicate_merges = 0;  // of equal merges the last one counts
    TokenDecoder decoder;
    std::optional<int32_t> begin, end;  // what the post-processor puts around a text, if one token
    std::string fingerprint;
};

// `text` is the file's content and `where`, its path, begins the messages. Not JSON, or the same
// key twice: exit 65. A component or option that isn't implemented here, ids that collide, merges
// of tokens that aren't there: exit 78 with the JSON path.
TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& where);

}  // namespace polytrain
