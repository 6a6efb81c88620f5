#pragma once

#include <vector>

#include "data/prepare.hpp"
#include "data/text/text_inputs.hpp"

namespace polytrain {

// Finds the inputs and checks all that can be checked before anything is written: errors as
// prepare() says.
std::vector<TextInput> check_prepare(const PrepareOptions& options, const Tokenizer& tokenizer);

}  // namespace polytrain
