#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// An entry of "added_tokens": text that is a token wherever it stands.
struct AddedToken {
    int32_t id = 0;
    std::string content;
    bool left_strip = false, right_strip = false;  // takes the white space beside it along
    bool normalized = false;                       // looked for in normalized text
    bool special = false;
};

// Finds added tokens in text, leftmost first and of those the longest, as Hugging Face tokenizers'
// AddedVocabulary does.
class AddedTokens {
  public:
    // A token's text is at most this long, which bounds the search.
    static constexpr size_t kMaxBytes = 256;

    AddedTokens() = default;
    // `text` is what to look for, an added token's content or its normalized form.
    void add(std::string_view text, const AddedToken& token);

    bool empty() const { return tokens_.empty(); }
    bool strips() const { return strips_; }

    struct Match {
        int32_t id;
        size_t begin, end;  // with the white space that it takes along
        size_t resume;      // where to look for the next one
    };
    // The first match that starts at `from` or later; white space before `floor` is not to be had.
    // With `open`, more text may follow, and only places where that changes nothing are looked at:
    // those before settled(text.size()).
    std::optional<Match> find(std::string_view text, size_t from, size_t floor, bool open) const;
    // The places at which no match starts or goes on that more text could bring or change.
    size_t settled(size_t size) const { return size < longest_ ? 0 : size - longest_ + 1; }

  private:
    struct Node {
        int32_t token = -1;  // index in tokens_ of the text that ends here
        std::vector<std::pair<unsigned char, int32_t>> children;  // by byte
    };
    int32_t child(int32_t node, unsigned char byte) const;

    struct Token {
        int32_t id;
        bool left_strip, right_strip;
    };
    std::vector<Token> tokens_;
    std::vector<Node> nodes_ = std::vector<Node>(1);
    std::array<bool, 256> starts_{};
    size_t longest_ = 1;
    bool strips_ = false;
};

}  // namespace polytrain
