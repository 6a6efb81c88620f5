#pragma once

#include <string>

#include "data/tokenizer/bpe_trainer.hpp"
#include "data/tokenizer/train_tokenizer.hpp"

namespace polytrain {

inline constexpr const char* kSpaceMark = "\xe2\x96\x81";  // U+2581, Metaspace's mark

// A tokenizer.json of the family, whose special tokens are the first of `bpe`.
std::string trained_file_text(const LearnedBpe& bpe, TokenizerFamily family);

}  // namespace polytrain
