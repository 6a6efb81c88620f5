#include "core/error.hpp"

#include <system_error>

namespace polytrain {

std::string errno_text(int error) {
    return std::generic_category().message(error);
}

void detail::check_failed(const char* file, int line, const char* condition,
                          const std::string& message) {
    throw InternalError(
        fmt::format("{}:{}: internal check failed: {}: {}", file, line, condition, message));
}

}  // namespace polytrain
