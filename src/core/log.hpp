#pragma once
// Log lines on standard error, so that standard output stays for results.

#include <fmt/format.h>

#include <string>
#include <utility>

namespace polytrain::log {

// From now on warnings and errors begin with "[rank N]", and only rank 0 gives information. Below 0
// (as at the start): neither.
void set_rank(int rank);
// Whether this is rank 0, or there are no ranks.
bool is_first();

void info_line(const std::string& line);
void warn_line(const std::string& line);
void error_line(const std::string& line);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    info_line(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    warn_line(fmt::format(format, std::forward<Args>(args)...));
}
// A warning that all ranks have: rank 0 tells it.
template <class... Args>
void warn_together(fmt::format_string<Args...> format, Args&&... args) {
    if (is_first()) warn(format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    error_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace polytrain::log
