#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer.hpp"

namespace polytrain {

// How many bytes of text the tokens of a stream stand for, in bounded memory.
class ByteCount {
  public:
    explicit ByteCount(const Tokenizer& tokenizer)
        : tokenizer_(tokenizer), separator_(tokenizer.separator()) {}

    void add(std::span<const int32_t> ids);
    // Nothing where an id is past the tokenizer's vocabulary (the model's may be padded).
    std::optional<int64_t> bytes() const;

  private:
    void count(std::span<const int32_t> ids);

    const Tokenizer& tokenizer_;
    std::optional<int32_t> separator_;
    // The document's last token so far: the first of a text may be decoded in another way.
    std::optional<int32_t> before_;
    int64_t bytes_ = 0;
    bool known_ = true;
};

}  // namespace polytrain
