#pragma once
// UTF-8 as the Unicode standard has it (section 3.9, table 3-7): no surrogates, no overlong forms,
// nothing past U+10FFFF.

#include <cstddef>
#include <string>
#include <string_view>

namespace polytrain {

struct Utf8Character {
    char32_t code = 0;
    size_t bytes = 0;  // 0: not a valid character
};

// The character at the start of `text`.
Utf8Character decode_utf8(std::string_view text);

// The character at the start of text known to be valid and not empty.
inline Utf8Character decode_valid_utf8(const char* text) {
    const auto byte = [&](int i) {
        return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
    };
    const char32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xe0) return {((lead & 0x1f) << 6) | (byte(1) & 0x3f), 2};
    if (lead < 0xf0) return {((lead & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f), 3};
    return {((lead & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) |
                (byte(3) & 0x3f),
            4};
}

void append_utf8(std::string& text, char32_t code);

// Bytes of the longest valid start of `text`.
size_t valid_utf8_prefix(std::string_view text);

// Whether more bytes could make `text`, which is not valid, one valid character: it ends too early.
bool is_cut_utf8(std::string_view text);

inline bool is_utf8_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace polytrain
