#include "data/tokenizer/bpe_trainer.hpp"

#include <algorithm>
#include <map>
#include <queue>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
    size_t operator()(const Pair& pair) const {
        const auto key = static_cast<uint64_t>(static_cast<uint32_t>(pair.first)) << 32 |
                         static_cast<uint32_t>(pair.second);
        return static_cast<size_t>((key ^ (key >> 29)) * 0x9e3779b97f4a7c15);
    }
};

struct Word {
    std::vector<int32_t> symbols;
    int64_t count;
};

class Learner {
  public:
    Learner(const std::vector<std::string>& first_tokens, const std::vector<std::string>& alphabet,
            int64_t vocab_size)
        : vocab_size_(static_cast<size_t>(vocab_size)) {
        for (const std::string& token : first_tokens) add_token(token);
        first_tokens_ = bpe_.tokens.size();
        for (const std::string& character : alphabet)
            symbols_[decode_valid_utf8(character.data()).code] = add_token(character);
        if (bpe_.tokens.size() > vocab_size_)
            fail(ExitCode::kUsage,
                 "a vocabulary of {} is too small: special tokens, bytes and characters are {}",
                 vocab_size, bpe_.tokens.size());
    }

    LearnedBpe learn(const WordCounts& counts) {
        // In order of their text: what follows must not depend on the order of a hash table.
        for (const auto& [text, count] :
             std::map<std::string, int64_t>(counts.begin(), counts.end()))
            add_word(text, count);
        for (size_t word = 0; word < words_.size(); ++word) add_pairs(word);
        for (const auto& [pair, place] : pairs_) push(pair);
        while (bpe_.tokens.size() < vocab_size_ && !queue_.empty()) {
            const auto [count, negated] = queue_.top();
            const Pair pair{-negated.first, -negated.second};
            queue_.pop();
            if (pairs_[pair].count == count) merge(pair);  // else the entry is out of date
        }
        return std::move(bpe_);
    }

  private:
    struct Places {
        int64_t count = 0;
        std::vector<uint32_t> words;  // each that has the pair, once or more often, or had it
    };

    int32_t add_token(const std::string& token) {
        const auto [place, fresh] = ids_.emplace(token, static_cast<int32_t>(bpe_.tokens.size()));
        if (fresh) bpe_.tokens.push_back(token);
        return place->second;
    }

    void add_word(std::string_view text, int64_t count) {
        std::vector<int32_t> symbols;
        const auto flush = [&] {
            if (symbols.size() > 1) words_.push_back({std::move(symbols), count});
            symbols.clear();
        };
        while (!text.empty()) {
            const Utf8Character c = decode_valid_utf8(text.data());
            if (const auto symbol = symbols_.find(c.code); symbol != symbols_.end())
                symbols.push_back(symbol->second);
            else
                flush();
            text.remove_prefix(c.bytes);
        }
        flush();
    }

    void change(const Pair& pair, int64_t by, size_t word) {
        Places& places = pairs_[pair];
        places.count += by;
        const auto index = static_cast<uint32_t>(word);
        if (by > 0 && (places.words.empty() || places.words.back() != index))
            places.words.push_back(index);
    }

    void add_pairs(size_t word) {
        const std::vector<int32_t>& symbols = words_[word].symbols;
        for (size_t i = 0; i + 1 < symbols.size(); ++i)
            change({symbols[i], symbols[i + 1]}, words_[word].count, word);
    }

    void push(const Pair& pair) {
        const int64_t count = pairs_[pair].count;
        if (count >= 2) queue_.push({count, {-pair.first, -pair.second}});
    }

    void merge(const Pair& pair) {
        const std::string text = bpe_.tokens[static_cast<size_t>(pair.first)] +
                                 bpe_.tokens[static_cast<size_t>(pair.second)];
        const auto existing = ids_.find(text);
        if (existing != ids_.end() && static_cast<size_t>(existing->second) < first_tokens_) return;
        const int32_t id = add_token(text);
        bpe_.merges.push_back(pair);
        std::vector<uint32_t> words = std::move(pairs_[pair].words);
        std::sort(words.begin(), words.end());
        words.erase(std::unique(words.begin(), words.end()), words.end());
        touched_.clear();
        for (const uint32_t word : words) merge_in(word, pair, id);
        std::sort(touched_.begin(), touched_.end());
        touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
        for (const Pair& other : touched_) push(other);
    }

    void merge_in(uint32_t index, const Pair& pair, int32_t id) {
        Word& word = words_[index];
        std::vector<int32_t>& symbols = word.symbols;
        const auto touch = [&](int32_t left, int32_t right, int64_t by) {
            change({left, right}, by, index);
            touched_.emplace_back(left, right);
        };
        size_t kept = 0;
        for (size_t i = 0; i < symbols.size(); ++i) {
            const bool here =
                i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
            if (!here) {
                symbols[kept++] = symbols[i];
                continue;
            }
            change(pair, -word.count, index);
            if (kept > 0) {  // the symbol before it may itself be a merge made just now
                touch(symbols[kept - 1], pair.first, -word.count);
                touch(symbols[kept - 1], id, word.count);
            }
            if (i + 2 < symbols.size()) {
                touch(pair.second, symbols[i + 2], -word.count);
                touch(id, symbols[i + 2], word.count);
            }
            symbols[kept++] = id;
            ++i;
        }
        symbols.resize(kept);
    }

    LearnedBpe bpe_;
    size_t vocab_size_, first_tokens_ = 0;
    std::unordered_map<std::string, int32_t> ids_;
    std::unordered_map<char32_t, int32_t> symbols_;
    std::vector<Word> words_;
    std::unordered_map<Pair, Places, PairHash> pairs_;
    std::vector<Pair> touched_;
    // Count, then the negated pair: the largest is the one to merge.
    std::priority_queue<std::pair<int64_t, Pair>> queue_;
};

}  // namespace

LearnedBpe learn_bpe(const WordCounts& words, const std::vector<std::string>& first_tokens,
                     const std::vector<std::string>& alphabet, int64_t vocab_size) {
    return Learner(first_tokens, alphabet, vocab_size).learn(words);
}

}  // namespace polytrain
