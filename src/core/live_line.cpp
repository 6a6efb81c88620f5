#include "core/live_line.hpp"

#include <unistd.h>

#include <cstdio>

#include "core/error.hpp"

namespace polytrain {

LiveLine::LiveLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

LiveLine::~LiveLine() {
    if (open_) std::fputc('\n', stderr);
}

void LiveLine::show(const std::string& text, bool stays) {
    open_ = terminal_ && !stays;
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", text, open_ ? "" : "\n");
    std::fflush(stderr);
}

}  // namespace polytrain
