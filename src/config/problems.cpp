#include "config/problems.hpp"

#include <algorithm>
#include <tuple>

#include "core/error.hpp"

namespace polytrain::config {

void Problems::add(const Place& place, const std::string& key, const std::string& what) {
    if (!full()) all_.push_back({place, fmt::format("{}: {}: {}", place.text(), key, what)});
}

void Problems::throw_if_any() const {
    if (empty()) return;
    std::vector<Problem> sorted = all_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.place.source, a.place.line, a.place.column) <
               std::tie(b.place.source, b.place.line, b.place.column);
    });
    std::string message;
    for (const Problem& problem : sorted) message += (message.empty() ? "" : "\n") + problem.text;
    if (full()) message += "\n(there may be more)";
    throw Error(ExitCode::kBadConfig, message);
}

}  // namespace polytrain::config
