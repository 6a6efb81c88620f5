#pragma once

#include <cstdio>
#include <string_view>

#include "core/error.hpp"

namespace polytrain {

// Results go to standard output; one that can't be written (a full disk) is exit 73.
inline void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        fail(ExitCode::kCannotWrite, "cannot write to standard output");
}

}  // namespace polytrain
