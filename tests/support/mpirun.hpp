#pragma once
// The command line by which tests start several ranks on this machine.

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "support/run_program.hpp"
#include "support/sanitized.hpp"

namespace polytrain::testing {

// Whether ranks can be started; says SKIPPED if not.
inline bool have_mpirun() {
#ifdef POLYTRAIN_MPI
    static const bool found = std::system("mpirun --version > /dev/null 2>&1") == 0;
#else
    static const bool found = false;
#endif
    if (!found) std::cout << "SKIPPED: no mpirun, or built without MPI\n";
    return found;
}

// The arguments of mpirun, to be followed by the program's path and its own. More ranks than cores
// are fine: they yield to each other while they wait.
inline std::vector<std::string> mpirun_arguments(int ranks) {
    std::vector<std::string> all{"-np",
                                 std::to_string(ranks),
                                 "--oversubscribe",
                                 "--bind-to",
                                 "none",
                                 "--mca",
                                 "mpi_yield_when_idle",
                                 "1"};
    if (::geteuid() == 0) all.emplace_back("--allow-run-as-root");
    // Open MPI keeps some memory until its end.
    if (kSanitized) all.insert(all.end(), {"-x", "ASAN_OPTIONS=detect_leaks=0"});
    return all;
}

// The same as shell text.
inline std::string mpirun_line(int ranks) {
    std::string line = "mpirun";
    for (const std::string& argument : mpirun_arguments(ranks)) line += " '" + argument + "'";
    return line;
}

// Runs `command` (shell text: a program and its arguments) as that many ranks; a job that hangs is
// ended after `limit_seconds`, with exit code 124.
inline ProgramResult run_ranks(int ranks, const std::string& command, int limit_seconds = 100) {
    return run_shell("timeout -k 10 " + std::to_string(limit_seconds) + " " + mpirun_line(ranks) +
                     " " + command);
}

// How often a text occurs in what ranks said: what is an error for all is told once.
inline int occurrences(const std::string& text, const std::string& part) {
    int count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

}  // namespace polytrain::testing
