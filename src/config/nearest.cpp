#include "config/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace polytrain::config {
namespace {

constexpr size_t kLongestWord = 64;  // no key or choice comes near
constexpr size_t kMostSuggestions = 3;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A third of the letters may be wrong, and one of a short word.
int tolerance(std::string_view word) {
    return std::max(1, static_cast<int>(word.size()) / 3);
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
    // Rows of the table d[i][j], the distance of the first i letters of a and j of b: i-2, i-1, i.
    std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
    for (size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, above);
        std::swap(above, row);
        row[0] = static_cast<int>(i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (x == y ? 0 : 1)});
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::vector<std::string> nearest(std::string_view word,
                                 const std::vector<std::string>& candidates) {
    std::vector<std::string> best;
    if (word.size() > kLongestWord) return best;
    int least = tolerance(word);
    for (const std::string& candidate : candidates) {
        const int distance = edit_distance(word, candidate);
        if (distance > least) continue;
        if (distance < least) best.clear();
        least = distance;
        best.push_back(candidate);
    }
    return best;
}

std::string did_you_mean(const std::vector<std::string>& candidates) {
    if (candidates.empty()) return {};
    const size_t count = std::min(candidates.size(), kMostSuggestions);
    const std::vector<std::string> first(candidates.begin(),
                                         candidates.begin() + static_cast<std::ptrdiff_t>(count));
    return fmt::format("; did you mean {}?", quoted_list(first, " or "));
}

std::string quoted_list(const std::vector<std::string>& words, std::string_view separator) {
    std::string text;
    for (const std::string& word : words)
        text += fmt::format("{}\"{}\"", text.empty() ? "" : separator, word);
    return text;
}

}  // namespace polytrain::config
