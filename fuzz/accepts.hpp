#pragma once

#include "core/error.hpp"

namespace polytrain::fuzzing {

// Runs a parser on input of unknown worth: true if it returns, false if it refuses the input as a
// damaged file (exit 65). All else that it throws ends the fuzzer as a crash.
template <class Parse>
bool accepts(Parse&& parse) {
    try {
        parse();
        return true;
    } catch (const Error& error) {
        if (error.code() != ExitCode::kCorrupt) throw;
        return false;
    }
}

}  // namespace polytrain::fuzzing
