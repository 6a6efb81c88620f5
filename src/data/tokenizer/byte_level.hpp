#pragma once
// The alphabet in which byte-level tokenizers write bytes (GPT-2, encoder.py, bytes_to_unicode): a
// printable Latin-1 byte stands for itself, the other 68 are U+0100 and up in order.

#include <optional>
#include <string>
#include <string_view>

namespace polytrain {

// The code point that stands for a byte.
char32_t byte_level_character(unsigned char byte);
// The text that stands for some bytes.
std::string to_byte_level(std::string_view bytes);
// The bytes that a valid UTF-8 text stands for, if each of its characters is in the alphabet.
std::optional<std::string> from_byte_level(std::string_view text);

}  // namespace polytrain
