#include "data/tokenizer/added_tokens.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

// Unicode's White_Space.
bool is_white_space(char32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

// Where the white space that ends text[floor, end) starts.
size_t white_space_before(std::string_view text, size_t floor, size_t end) {
    while (end > floor) {
        size_t start = end - 1;
        while (start > floor && is_utf8_continuation(text[start])) --start;
        if (!is_white_space(decode_valid_utf8(&text[start]).code)) break;
        end = start;
    }
    return end;
}

size_t white_space_after(std::string_view text, size_t at) {
    while (at < text.size()) {
        const Utf8Character c = decode_valid_utf8(&text[at]);
        if (!is_white_space(c.code)) break;
        at += c.bytes;
    }
    return at;
}

}  // namespace

void AddedTokens::add(std::string_view text, const AddedToken& token) {
    PT_CHECK(!text.empty() && text.size() <= kMaxBytes, "an added token of {} bytes", text.size());
    int32_t node = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        int32_t next = child(node, byte);
        if (next < 0) {
            next = static_cast<int32_t>(nodes_.size());
            nodes_.emplace_back();
            auto& children = nodes_[static_cast<size_t>(node)].children;
            const auto place = std::lower_bound(children.begin(), children.end(),
                                                std::pair<unsigned char, int32_t>{byte, 0});
            children.insert(place, {byte, next});
        }
        node = next;
    }
    Node& end = nodes_[static_cast<size_t>(node)];
    if (end.token >= 0) return;  // two tokens with one normalized form: the first counts
    end.token = static_cast<int32_t>(tokens_.size());
    tokens_.push_back({token.id, token.left_strip, token.right_strip});
    starts_[static_cast<unsigned char>(text[0])] = true;
    longest_ = std::max(longest_, text.size());
    strips_ |= token.left_strip || token.right_strip;
}

int32_t AddedTokens::child(int32_t node, unsigned char byte) const {
    const auto& children = nodes_[static_cast<size_t>(node)].children;
    const auto found = std::lower_bound(children.begin(), children.end(),
                                        std::pair<unsigned char, int32_t>{byte, 0});
    return found != children.end() && found->first == byte ? found->second : -1;
}

std::optional<AddedTokens::Match> AddedTokens::find(std::string_view text, size_t from,
                                                    size_t floor, bool open) const {
    if (tokens_.empty()) return std::nullopt;
    const size_t limit = open ? settled(text.size()) : text.size();
    for (size_t begin = from; begin < limit; ++begin) {
        if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
        int32_t node = 0, longest = -1;
        size_t end = begin;
        for (size_t at = begin; at < text.size(); ++at) {
            node = child(node, static_cast<unsigned char>(text[at]));
            if (node < 0) break;
            if (const int32_t token = nodes_[static_cast<size_t>(node)].token; token >= 0) {
                longest = token;
                end = at + 1;
            }
        }
        if (longest < 0) continue;
        const Token& token = tokens_[static_cast<size_t>(longest)];
        return Match{token.id, token.left_strip ? white_space_before(text, floor, begin) : begin,
                     token.right_strip ? white_space_after(text, end) : end, end};
    }
    return std::nullopt;
}

}  // namespace polytrain
