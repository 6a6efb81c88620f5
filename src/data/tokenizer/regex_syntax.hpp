#pragma once

#include <string>
#include <string_view>

namespace polytrain {

// A pattern in Oniguruma's Ruby syntax, which Hugging Face tokenizers read, written for PCRE2. What
// the two read otherwise is translated: \s, \w, \v, \p{Script}, {,n}, and \p{L} and \p{N} as
// Unicode 16 has them. What can't be, and what isn't known to mean the same, is refused with exit
// 78: ^ and $, {n}+ and {n}?, sets in sets, && and POSIX classes, options but (?i:...), other
// escapes and groups. `where` begins the messages.
std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace polytrain
