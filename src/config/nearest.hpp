#pragma once
// "Did you mean ...?"

#include <string>
#include <string_view>
#include <vector>

namespace polytrain::config {

// The fewest insertions, deletions, substitutions and swaps of neighbours that turn one word into
// the other, no part being edited twice (optimal string alignment). ASCII case is ignored.
int edit_distance(std::string_view a, std::string_view b);

// The candidates with the least distance to `word`, all of them when they tie, none when even the
// nearest is too far to be what was meant.
std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// `; did you mean "a" or "b"?`, or nothing for no candidates.
std::string did_you_mean(const std::vector<std::string>& candidates);

// `"a", "b"`
std::string quoted_list(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace polytrain::config
