#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace polytrain {

enum class TokenizerFamily {
    // GPT-2's form: <|endoftext|>, the 256 bytes, then merges within the words of its regex.
    kByteLevel,
    // Llama's form: <unk>, <s>, </s>, 256 byte tokens, the commonest characters, then merges within
    // words that start with U+2581 in place of the space.
    kLlama,
};

struct TokenizerTraining {
    std::vector<std::filesystem::path> inputs;  // as of find_text_inputs()
    std::string field = "text";
    TokenizerFamily family = TokenizerFamily::kByteLevel;
    int64_t vocab_size = 0;
    int threads = 1;  // changes nothing but the time
};

// Learns byte-pair encoding from texts and returns a tokenizer.json, which other programs read too.
// A vocabulary too small for what every one of the family has, or larger than 2^22: exit 2. A text
// that yields fewer merges gives a smaller vocabulary, with a warning.
std::string train_tokenizer(const TokenizerTraining& training);

}  // namespace polytrain
