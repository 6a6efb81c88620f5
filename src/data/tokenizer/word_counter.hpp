#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "data/tokenizer/pre_tokenizer.hpp"

namespace polytrain {

using WordCounts = std::unordered_map<std::string, int64_t>;

// Counts the words, the pieces of a pre-tokenizer, of texts; for one thread.
class WordCounter final : public PieceSink {
  public:
    // Longer words teach nothing and are left out.
    static constexpr size_t kMaxWordBytes = 1024;

    // The steps must outlive it.
    explicit WordCounter(const std::vector<SplitStep>& steps) : pre_tokenizer_(steps) {}

    // A text by itself. Bytes that aren't UTF-8 part words and belong to none.
    void count(std::string_view text);
    size_t take(std::string_view piece, bool open) override;

    const WordCounts& counts() const { return counts_; }

  private:
    PreTokenizer pre_tokenizer_;
    WordCounts counts_;
};

}  // namespace polytrain
