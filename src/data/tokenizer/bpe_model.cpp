#include "data/tokenizer/bpe_model.hpp"

#include <algorithm>
#include <bit>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "data/tokenizer/byte_level.hpp"

namespace polytrain {
namespace {

constexpr size_t kJointBits = size_t{1} << 20;
constexpr char32_t kLowCharacters = 0x10000;
constexpr uint64_t kEmpty = UINT64_MAX;

uint64_t pair_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t hash_of(uint64_t pair) {
    pair *= 0x9e3779b97f4a7c15;
    return static_cast<size_t>(pair ^ (pair >> 29));
}

int32_t id_of(const BpeSpec& spec, const std::string& token) {
    const auto found = spec.vocabulary.find(token);
    return found == spec.vocabulary.end() ? -1 : found->second;
}

}  // namespace

BpeModel::BpeModel(const BpeSpec& spec)
    : byte_level_(spec.byte_level),
      byte_fallback_(spec.byte_fallback),
      fuse_unknown_(spec.fuse_unknown),
      unknown_(spec.unknown),
      low_characters_(byte_level_ ? 0 : kLowCharacters, -1),
      joints_(kJointBits / 64) {
    for (size_t byte = 0; byte < 256; ++byte) {
        std::string token = fmt::format("<0x{:02X}>", byte);
        if (byte_level_) token = to_byte_level(std::string(1, static_cast<char>(byte)));
        byte_symbols_[byte] = byte_level_ || byte_fallback_ ? id_of(spec, token) : -1;
    }
    for (const auto& [token, id] : spec.vocabulary) {
        const Utf8Character c = decode_utf8(token);
        if (byte_level_ || c.bytes == 0 || c.bytes != token.size()) continue;
        if (c.code < kLowCharacters)
            low_characters_[c.code] = id;
        else
            high_characters_[c.code] = id;
    }
    if (spec.ignore_merges)
        for (const auto& [token, id] : spec.vocabulary) {
            if (!byte_level_)
                whole_[token] = id;
            else if (const std::optional<std::string> bytes = from_byte_level(token))
                whole_[*bytes] = id;
        }
    add_merges(spec);
}

void BpeModel::add_merges(const BpeSpec& spec) {
    merges_.resize(std::bit_ceil(2 * spec.merges.size() + 1), {kEmpty, {kNoMerge, -1}});
    // The symbol at one end of a token: the token itself unless a merge makes it.
    std::unordered_map<int32_t, const BpeSpec::Merge*> made_by;
    for (const BpeSpec::Merge& merge : spec.merges) made_by[merge.result] = &merge;
    const auto end_symbol = [&](int32_t id, int32_t BpeSpec::Merge::*side) {
        for (auto found = made_by.find(id); found != made_by.end(); found = made_by.find(id))
            id = found->second->*side;
        return id;
    };
    for (uint32_t rank = 0; rank < spec.merges.size(); ++rank) {
        const BpeSpec::Merge& merge = spec.merges[rank];
        const uint64_t pair = pair_of(merge.left, merge.right);
        size_t at = hash_of(pair) & (merges_.size() - 1);
        while (merges_[at].pair != kEmpty && merges_[at].pair != pair)
            at = (at + 1) & (merges_.size() - 1);
        merges_[at] = {pair, {rank, merge.result}};  // of two equal merges the later counts
        const size_t bit = joint_bit(end_symbol(merge.left, &BpeSpec::Merge::right),
                                     end_symbol(merge.right, &BpeSpec::Merge::left));
        joints_[bit / 64] |= uint64_t{1} << (bit % 64);
    }
}

size_t BpeModel::joint_bit(int32_t left, int32_t right) {
    return hash_of(pair_of(left, right)) & (kJointBits - 1);
}

BpeModel::Merged BpeModel::merged(int32_t left, int32_t right) const {
    const uint64_t pair = pair_of(left, right);
    size_t at = hash_of(pair) & (merges_.size() - 1);
    while (merges_[at].pair != pair) {
        if (merges_[at].pair == kEmpty) return {kNoMerge, -1};
        at = (at + 1) & (merges_.size() - 1);
    }
    return merges_[at].merged;
}

int32_t BpeModel::symbol_of(char32_t code) const {
    if (code < kLowCharacters) return low_characters_[code];
    const auto found = high_characters_.find(code);
    return found == high_characters_.end() ? -1 : found->second;
}

BpeModel::CharacterEnds BpeModel::character_ends(const char* text) const {
    const auto byte_symbol_at = [&](size_t i) {
        return byte_symbols_[static_cast<unsigned char>(text[i])];
    };
    const Utf8Character c = byte_level_ ? Utf8Character{0, 1} : decode_valid_utf8(text);
    const int32_t symbol = byte_level_ ? byte_symbol_at(0) : symbol_of(c.code);
    if (symbol >= 0) return {c.bytes, CharacterEnds::kKnown, symbol, symbol};
    if (!byte_fallback_ || byte_level_) return {c.bytes, CharacterEnds::kUnknown, -1, -1};
    for (size_t i = 0; i < c.bytes; ++i)
        if (byte_symbol_at(i) < 0) return {c.bytes, CharacterEnds::kUnknown, -1, -1};
    return {c.bytes, CharacterEnds::kBytes, byte_symbol_at(0), byte_symbol_at(c.bytes - 1)};
}

int64_t BpeModel::append_symbols(std::string_view piece, std::vector<int32_t>& symbols) const {
    int64_t dropped = 0;
    // An unknown run stays pending until a known character or the end, past the bytes of byte
    // fallback: the order in which Hugging Face tokenizers' merge_word adds them.
    bool pending = false;
    const auto flush = [&] {
        if (pending) symbols.push_back(*unknown_);
        pending = false;
    };
    const auto miss = [&] {
        if (!unknown_) {
            ++dropped;
            return;
        }
        if (!fuse_unknown_) flush();
        pending = true;
    };
    for (size_t at = 0; at < piece.size();) {
        const CharacterEnds ends = character_ends(&piece[at]);
        if (ends.kind == CharacterEnds::kKnown) {
            flush();
            symbols.push_back(ends.first);
        } else if (ends.kind == CharacterEnds::kBytes) {
            for (const char byte : piece.substr(at, ends.bytes))
                symbols.push_back(byte_symbols_[static_cast<unsigned char>(byte)]);
        } else {
            miss();
        }
        at += ends.bytes;
    }
    flush();
    return dropped;
}

int32_t BpeModel::whole(std::string_view piece) const {
    if (whole_.empty()) return -1;
    const auto found = whole_.find(std::string(piece));
    return found == whole_.end() ? -1 : found->second;
}

}  // namespace polytrain
