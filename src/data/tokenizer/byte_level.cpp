#include "data/tokenizer/byte_level.hpp"

#include <array>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr bool is_printable(int byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr std::array<char32_t, 256> make_alphabet() {
    std::array<char32_t, 256> alphabet{};
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte)
        alphabet[static_cast<size_t>(byte)] =
            is_printable(byte) ? static_cast<char32_t>(byte) : next++;
    return alphabet;
}
constexpr std::array<char32_t, 256> kAlphabet = make_alphabet();
constexpr char32_t kEnd = 0x100 + 68;

constexpr std::array<int, kEnd> make_inverse() {
    std::array<int, kEnd> inverse{};
    for (int& byte : inverse) byte = -1;
    for (size_t byte = 0; byte < 256; ++byte) inverse[kAlphabet[byte]] = static_cast<int>(byte);
    return inverse;
}
constexpr std::array<int, kEnd> kInverse = make_inverse();

}  // namespace

char32_t byte_level_character(unsigned char byte) {
    return kAlphabet[byte];
}

std::string to_byte_level(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) append_utf8(text, kAlphabet[static_cast<unsigned char>(c)]);
    return text;
}

std::optional<std::string> from_byte_level(std::string_view text) {
    std::string bytes;
    for (size_t at = 0; at < text.size();) {
        const Utf8Character c = decode_valid_utf8(&text[at]);
        if (c.code >= kEnd || kInverse[c.code] < 0) return std::nullopt;
        bytes += static_cast<char>(kInverse[c.code]);
        at += c.bytes;
    }
    return bytes;
}

}  // namespace polytrain
