#include "eval/task_text.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

bool is_space(char32_t code) {
    return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 ||
           code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

// The text with each character but the first as `rest` has it. What is no UTF-8 stays.
template <class First, class Rest>
std::string mapped(std::string_view text, const First& first, const Rest& rest) {
    std::string out;
    for (bool is_first = true; !text.empty(); is_first = false) {
        const Utf8Character character = decode_utf8(text);
        if (character.bytes == 0) {
            out += text[0];
        } else {
            const auto code = static_cast<utf8proc_int32_t>(character.code);
            append_utf8(out, static_cast<char32_t>(is_first ? first(code) : rest(code)));
        }
        text.remove_prefix(std::max<size_t>(1, character.bytes));
    }
    return out;
}

}  // namespace

std::string_view strip_left(std::string_view text) {
    for (Utf8Character c; (c = decode_utf8(text)).bytes > 0 && is_space(c.code);)
        text.remove_prefix(c.bytes);
    return text;
}

std::string_view strip_right(std::string_view text) {
    while (!text.empty()) {
        size_t last = text.size() - 1;
        while (last > 0 && is_utf8_continuation(text[last])) --last;
        const Utf8Character c = decode_utf8(text.substr(last));
        if (c.bytes != text.size() - last || !is_space(c.code)) break;
        text = text.substr(0, last);
    }
    return text;
}

std::string_view strip(std::string_view text) {
    return strip_left(strip_right(text));
}

std::string capitalized(std::string_view text) {
    return mapped(text, utf8proc_totitle, utf8proc_tolower);
}

std::string with_lower_first(std::string_view text) {
    return mapped(text, utf8proc_tolower, [](utf8proc_int32_t code) { return code; });
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    for (size_t at = 0;;) {
        const size_t found = text.find(from, at);
        out += text.substr(at, found - at);
        if (found == std::string_view::npos) return out;
        out += to;
        at = found + from.size();
    }
}

int64_t code_points(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return !is_utf8_continuation(c); });
}

}  // namespace polytrain
