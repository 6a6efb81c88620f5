#pragma once

#include <string>

#include "data/tokenizer.hpp"

namespace polytrain::testing {

// Bytes in a vocabulary of any size, with its last id as separator: for what bytes can't show.
class NumberTokenizer final : public Tokenizer {
  public:
    explicit NumberTokenizer(int64_t vocab_size) : vocab_size_(vocab_size) {}
    std::string_view name() const override { return "numbers"; }
    int64_t vocab_size() const override { return vocab_size_; }
    std::string fingerprint() const override { return "numbers " + std::to_string(vocab_size_); }
    std::optional<int32_t> separator() const override {
        return static_cast<int32_t>(vocab_size_ - 1);
    }
    std::string file_text() const override { return {}; }
    std::unique_ptr<Encoder> make_encoder() const override {
        return std::make_unique<NumberEncoder>();
    }
    std::string decode(std::span<const int32_t> ids) const override {
        return {ids.begin(), ids.end()};
    }

  private:
    struct NumberEncoder final : Encoder {
        void encode(std::string_view part, bool, std::vector<int32_t>& ids) override {
            ids.insert(ids.end(), part.begin(), part.end());
        }
    };

    int64_t vocab_size_;
};

}  // namespace polytrain::testing
