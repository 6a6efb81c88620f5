#pragma once

#include "data/tokenizer/component.hpp"
#include "data/tokenizer/tokenizer_file.hpp"

namespace polytrain {

// The regex of pre-tokenizer "ByteLevel" (GPT-2, encoder.py).
inline constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Reads "normalizer", "pre_tokenizer", "post_processor" and "decoder" of a tokenizer.json into
// `file`, whose model and added tokens are there. To support another component, add it here.
void read_components(const Component& root, TokenizerFile& file);

}  // namespace polytrain
