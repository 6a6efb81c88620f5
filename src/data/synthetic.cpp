#include "data/synthetic.hpp"

#include "core/error.hpp"

namespace polytrain {

SyntheticTokens::SyntheticTokens(uint64_t seed, std::string_view purpose, int64_t vocab_size,
                                 int64_t tokens)
    : key_(philox_key(seed, purpose)), vocab_size_(vocab_size), tokens_(tokens) {
    PT_CHECK(vocab_size > 0, "a vocabulary of {}", vocab_size);
}

void SyntheticTokens::read(int64_t begin, int64_t count, int32_t* out) const {
    PT_CHECK(0 <= begin && 0 <= count && count <= tokens_ - begin,
             "tokens {} + {} of {} are asked for", begin, count, tokens_);
    const auto vocab = static_cast<double>(vocab_size_);
    for (int64_t i = 0; i < count; ++i) {
        const auto words = philox(key_, static_cast<uint64_t>(begin + i));
        const double u = uniform_from(words[0], words[1]);
        out[i] = static_cast<int32_t>(vocab * (u * u * u));
    }
}

std::string SyntheticTokens::fingerprint() const {
    return fmt::format("synthetic-1 {:08x}{:08x} {} {}", key_.k0, key_.k1, vocab_size_, tokens_);
}

}  // namespace polytrain
