#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/data_config.hpp"
#include "data/data_tokenizer.hpp"
#include "data/token_source.hpp"

namespace polytrain {

struct OpenedTokens {
    std::unique_ptr<TokenSource> tokens;
    // Of our own files alone it is known which tokenizer made them: the one given.
    bool tokenizer_known = false;
};

// Opens a token file of any format, as `source` says or, with "auto", as it looks: X.idx beside it
// (Megatron), X.json (polytrain prepare), the name .npy, llm.c's header. No id is outside
// [0, vocab_size). Format not to be told, dtype given where the format says it, other tokenizer, or
// larger vocabulary: exit 78; damaged, or an id outside: exit 65; missing: exit 66.
OpenedTokens open_tokens(const SourceConfig& source, const DataTokenizer& tokenizer,
                         int64_t vocab_size);

}  // namespace polytrain
