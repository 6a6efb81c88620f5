#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/philox.hpp"
#include "data/token_source.hpp"

namespace polytrain {

// Independent random tokens with P(token < v) = (v / V)^(1/3): skewed, so that a model can learn
// something (how often each token comes), and without end, so that it can't learn them by heart.
class SyntheticTokens final : public TokenSource {
  public:
    SyntheticTokens(uint64_t seed, std::string_view purpose, int64_t vocab_size, int64_t tokens);

    int64_t tokens() const override { return tokens_; }
    void read(int64_t begin, int64_t count, int32_t* out) const override;
    std::string fingerprint() const override;

  private:
    PhiloxKey key_;
    int64_t vocab_size_, tokens_;
};

}  // namespace polytrain
