#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/tokenizer.hpp"

namespace polytrain {

// Tokens, as they come, to text that is valid UTF-8 at every moment: a character that spans tokens
// comes with its last one, and bytes that belong to no character come as U+FFFD.
class TextStream {
  public:
    // What is to come follows `prompt`, the text of which is not given again.
    TextStream(const Tokenizer& tokenizer, std::span<const int32_t> prompt)
        : tokenizer_(tokenizer) {
        if (!prompt.empty()) last_ = prompt.back();
    }

    // The text that is whole now.
    std::string add(int32_t id);
    // What is left of a character that was not finished.
    std::string finish();

  private:
    const Tokenizer& tokenizer_;
    // How a token is decoded may depend on whether another comes before it.
    std::optional<int32_t> last_;
    std::string waiting_;
};

}  // namespace polytrain
