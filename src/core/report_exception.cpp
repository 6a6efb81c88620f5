#include "core/report_exception.hpp"

#include <exception>
#include <new>

#include "core/log.hpp"

namespace polytrain {

ExitCode report_exception() {
    try {
        throw;
    } catch (const Error& error) {
        if (error.what()[0] == '\0') return error.code();  // it was told
        if (error.code() == ExitCode::kRequeue)            // a stop as it should be
            log::info_line(error.what());
        else
            log::error_line(error.what());
        return error.code();
    } catch (const std::bad_alloc&) {
        log::error_line("out of memory");
    } catch (const std::exception& error) {
        log::error("unexpected: {}", error.what());
    }
    return ExitCode::kInternal;
}

}  // namespace polytrain
