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
    const std::string line =
        fmt::format("{}{}{}", terminal_ ? "\r\x1b[K" : "", text, open_ ? "" : "\n");
    // A full disk or a closed terminal must not end the work that this tells of.
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
}

}  // namespace polytrain
