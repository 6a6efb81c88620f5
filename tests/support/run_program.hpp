#pragma once
// Runs the polytrain program as a user would, from the shell.

#include <cstdint>
#include <string>

namespace polytrain::testing {

struct ProgramResult {
    int exit_code;
    std::string out, err;
    int64_t peak_bytes = 0;  // of memory
};

// `arguments` and `environment` ("NAME=value") are shell text.
ProgramResult run_program(const std::string& arguments, const std::string& environment = "");

// The same for any command line of the shell; its standard input is empty.
ProgramResult run_shell(const std::string& command);

}  // namespace polytrain::testing
