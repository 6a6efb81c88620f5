#pragma once

#include <memory>
#include <utility>

#include "data/tokenizer.hpp"

namespace polytrain {

// A tokenizer with another separator, or none.
class WithSeparator final : public Tokenizer {
  public:
    WithSeparator(std::unique_ptr<Tokenizer> tokenizer, std::optional<int32_t> separator)
        : tokenizer_(std::move(tokenizer)), separator_(separator) {}

    std::string_view name() const override { return tokenizer_->name(); }
    int64_t vocab_size() const override { return tokenizer_->vocab_size(); }
    std::string fingerprint() const override { return tokenizer_->fingerprint(); }
    std::optional<int32_t> separator() const override { return separator_; }
    std::optional<int32_t> begin_of_text() const override { return tokenizer_->begin_of_text(); }
    std::string description() const override { return tokenizer_->description(); }
    std::string file_text() const override { return tokenizer_->file_text(); }
    std::unique_ptr<Encoder> make_encoder() const override { return tokenizer_->make_encoder(); }
    std::string decode(std::span<const int32_t> ids) const override {
        return tokenizer_->decode(ids);
    }

  private:
    std::unique_ptr<Tokenizer> tokenizer_;
    std::optional<int32_t> separator_;
};

}  // namespace polytrain
