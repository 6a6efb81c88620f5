#pragma once
// Errors. A user's mistake throws Error with an exit code and a message saying what, where, what
// was found and what to do. A programmer's mistake trips PT_CHECK, which throws InternalError.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace polytrain {

// What the program returns to the shell (docs/architecture.md, "Exit codes").
enum class ExitCode : int {
    kDone = 0,
    kUsage = 2,
    kCorrupt = 65,
    kInputMissing = 66,
    kPeerLost = 69,
    kInternal = 70,
    kCannotWrite = 73,
    kIo = 74,
    kRequeue = 75,
    kNumerics = 76,
    kBadConfig = 78,
};

class Error : public std::runtime_error {
  public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const { return code_; }

  private:
    ExitCode code_;
};

class InternalError : public Error {
  public:
    explicit InternalError(const std::string& message) : Error(ExitCode::kInternal, message) {}
};

// Throws Error(code) with a formatted message.
template <class... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// Text of an errno value, e.g. "No space left on device".
std::string errno_text(int error);

namespace detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& message);
}

}  // namespace polytrain

// A condition that only a bug in PolyTrain can break; always on. The message is a fmt format.
#define PT_CHECK(condition, ...)                                              \
    do {                                                                      \
        if (!(condition)) [[unlikely]]                                        \
            ::polytrain::detail::check_failed(__FILE__, __LINE__, #condition, \
                                              ::fmt::format(__VA_ARGS__));    \
    } while (false)
