#pragma once

#include <memory>
#include <string>

#include "data/tokenizer.hpp"

namespace polytrain {

// The tokenizer of a tokenizer.json; errors as parse_tokenizer_file(). Its separator is the token
// that ends a text by the file's own post-processor, else the added token with one of the usual
// names (</s>, <|endoftext|>, <|end_of_text|>, <eos>), if there is just one of them.
std::unique_ptr<Tokenizer> make_bpe_tokenizer(std::string text, const std::string& where);

}  // namespace polytrain
