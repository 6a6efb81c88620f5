#include "core/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace polytrain {
namespace {

struct Lead {
    size_t bytes = 0;  // of the whole character; 0: no character starts so
    // Of the byte after it; all later ones are 0x80 to 0xbf.
    unsigned char low = 0x80, high = 0xbf;
};

Lead lead_of(unsigned char byte) {
    if (byte < 0x80) return {1};
    if (byte < 0xc2) return {0};
    if (byte < 0xe0) return {2};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f};
    if (byte < 0xf0) return {3};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0};
}

// How many bytes of the character that starts `text` are as they must be.
size_t good_bytes(std::string_view text, const Lead& lead) {
    if (lead.bytes == 0) return 0;
    size_t good = 1;
    for (; good < lead.bytes && good < text.size(); ++good) {
        const auto byte = static_cast<unsigned char>(text[good]);
        if (good == 1 ? byte < lead.low || byte > lead.high : !is_utf8_continuation(text[good]))
            break;
    }
    return good;
}

}  // namespace

Utf8Character decode_utf8(std::string_view text) {
    if (text.empty()) return {};
    const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
    if (lead.bytes == 0 || good_bytes(text, lead) != lead.bytes) return {};
    return decode_valid_utf8(text.data());
}

void append_utf8(std::string& text, char32_t code) {
    const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
        add(0xc0 | (code >> 6));
    } else {
        if (code < 0x10000) {
            add(0xe0 | (code >> 12));
        } else {
            add(0xf0 | (code >> 18));
            add(0x80 | ((code >> 12) & 0x3f));
        }
        add(0x80 | ((code >> 6) & 0x3f));
    }
    add(0x80 | (code & 0x3f));
}

size_t valid_utf8_prefix(std::string_view text) {
    constexpr uint64_t kHighBits = 0x8080808080808080;
    size_t at = 0;
    while (at < text.size()) {
        uint64_t word = 0;
        while (at + sizeof(word) <= text.size()) {  // ASCII, eight at a time
            std::memcpy(&word, text.data() + at, sizeof(word));
            if ((word & kHighBits) != 0) break;
            at += sizeof(word);
        }
        if (at == text.size()) break;
        const Lead lead = lead_of(static_cast<unsigned char>(text[at]));
        if (lead.bytes == 0 || good_bytes(text.substr(at), lead) != lead.bytes) break;
        at += lead.bytes;
    }
    return at;
}

bool is_cut_utf8(std::string_view text) {
    if (text.empty()) return false;
    const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
    return text.size() < lead.bytes && good_bytes(text, lead) == text.size();
}

}  // namespace polytrain
