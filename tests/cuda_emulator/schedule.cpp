// What is asked of the emulator by the environment, and how it ends the process.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

void die(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::fprintf(stderr, "emulated CUDA: ");
    std::vfprintf(stderr, format, arguments);
    std::fputc('\n', stderr);
    va_end(arguments);
    std::fflush(nullptr);
    std::_Exit(kExitCode);
}

Schedule& schedule() {
    static Schedule one = [] {
        Schedule made;
        const char* text = std::getenv("POLYTRAIN_EMULATOR");
        for (std::string rest = text != nullptr ? text : ""; !rest.empty();) {
            const std::string part = rest.substr(0, rest.find(','));
            rest = part.size() == rest.size() ? "" : rest.substr(part.size() + 1);
            if (part.starts_with("seed="))
                made.seed = std::strtoull(part.c_str() + 5, nullptr, 10);
            else if (part == "lazy")
                made.lazy = true;
            else if (part == "ordered")
                made.random = false;
            else
                die("POLYTRAIN_EMULATOR: \"%s\": it takes seed=N, lazy, ordered", part.c_str());
        }
        return made;
    }();
    return one;
}

}  // namespace polytrain::emulator
