#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace polytrain {

// What "model" says in a tokenizer.json of type BPE.
struct BpeSpec {
    // Token text to id. In byte-level models it is written in the GPT-2 alphabet (byte_level.hpp).
    std::unordered_map<std::string, int32_t> vocabulary;
    struct Merge {
        int32_t left, right, result;
    };
    std::vector<Merge> merges;  // the first is made first
    std::optional<int32_t> unknown;
    bool byte_level = false;
    bool byte_fallback = false;  // a character that isn't in the vocabulary becomes its bytes
    bool fuse_unknown = false;   // a run of unknown characters becomes one token
    bool ignore_merges = false;  // a piece that is a token is not built by merges
};

// Byte-pair encoding (Sennrich et al. 2016, section 3.2) of one piece of text at a time: start from
// its characters (byte-level: its bytes), then merge the pair of neighbours that comes first in the
// list, the leftmost if it occurs more than once, until none is left.
class BpeModel {
  public:
    explicit BpeModel(const BpeSpec& spec);

    // The id of a merged pair and its place in the list; rank kNoMerge if there is none.
    struct Merged {
        uint32_t rank;
        int32_t id;
    };
    static constexpr uint32_t kNoMerge = UINT32_MAX;
    Merged merged(int32_t left, int32_t right) const;

    // Whether a merge may ever join two symbols that stand side by side. Conservative.
    bool may_join(int32_t left, int32_t right) const {
        const size_t bit = joint_bit(left, right);
        return (joints_[bit / 64] >> (bit % 64) & 1) != 0;
    }

    // Appends the symbols that a piece starts from. Returns how many characters are lost: neither
    // the vocabulary nor an unknown token stands for them.
    int64_t append_symbols(std::string_view piece, std::vector<int32_t>& symbols) const;
    // The symbols at the ends of what the first character of `text` starts from.
    struct CharacterEnds {
        size_t bytes;  // of the character
        enum Kind { kKnown, kBytes, kUnknown } kind;
        int32_t first, last;
    };
    CharacterEnds character_ends(const char* text) const;
    // The symbol for a byte that isn't part of a valid character; -1: there is none.
    int32_t byte_symbol(unsigned char byte) const { return byte_symbols_[byte]; }
    std::optional<int32_t> unknown() const { return unknown_; }

    bool byte_level() const { return byte_level_; }
    bool ignores_merges() const { return !whole_.empty(); }
    // The id of a piece that is to be taken whole, or -1.
    int32_t whole(std::string_view piece) const;

  private:
    static size_t joint_bit(int32_t left, int32_t right);
    void add_merges(const BpeSpec& spec);
    int32_t symbol_of(char32_t code) const;

    bool byte_level_, byte_fallback_, fuse_unknown_;
    std::optional<int32_t> unknown_;
    std::array<int32_t, 256> byte_symbols_{};
    std::vector<int32_t> low_characters_;  // ids of the code points below 0x10000
    std::unordered_map<char32_t, int32_t> high_characters_;
    struct Slot {
        uint64_t pair;
        Merged merged;
    };
    std::vector<Slot> merges_;  // open addressing, a power of two, at most half full
    std::vector<uint64_t> joints_;
    std::unordered_map<std::string, int32_t> whole_;  // only with ignore_merges
};

}  // namespace polytrain
