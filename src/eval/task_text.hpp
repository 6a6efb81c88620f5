#pragma once
// Text as the Python programs handle it whose prompts tasks have.

#include <cstdint>
#include <string>
#include <string_view>

namespace polytrain {

// Without white space, as str.isspace() has it, at the left, the right, both ends.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

// str.capitalize(): the first character in title case, all others in lower case. Characters map to
// one character each: those few that Python maps to several stay as they are.
std::string capitalized(std::string_view text);
// The first character in lower case, all others as they are.
std::string with_lower_first(std::string_view text);

// Every `from` that is found from the left on, without overlap, by `to`.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

// Unicode code points, which is what Python's len() counts.
int64_t code_points(std::string_view text);

}  // namespace polytrain
