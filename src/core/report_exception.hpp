#pragma once

#include "core/error.hpp"

namespace polytrain {

// For a catch block: logs the exception that is handled there, unless its message is empty, and
// returns its exit code.
ExitCode report_exception();

}  // namespace polytrain
