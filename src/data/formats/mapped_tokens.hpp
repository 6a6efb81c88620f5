#pragma once

#include <string>

#include "data/token_array.hpp"
#include "data/token_source.hpp"

namespace polytrain {

// Tokens that another program wrote, whatever its format, once that is parsed.
class MappedTokens final : public TokenSource {
  public:
    // Reads the array once: an id outside [0, vocab_size) is refused with exit 65, path and byte.
    // `layout` goes into the fingerprint: the format, and what it holds beside the ids.
    MappedTokens(const std::string& layout, TokenArray array, int64_t vocab_size);

    int64_t tokens() const override { return array_.tokens(); }
    void read(int64_t begin, int64_t count, int32_t* out) const override {
        array_.read(begin, count, out);
    }
    std::string fingerprint() const override { return fingerprint_; }

  private:
    TokenArray array_;
    std::string fingerprint_;
};

}  // namespace polytrain
