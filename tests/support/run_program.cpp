#include "support/run_program.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "support/damage.hpp"
#include "support/temp_folder.hpp"

namespace polytrain::testing {

ProgramResult run_shell(const std::string& command) {
    const TempFolder folder;
    const std::string out = folder / "out", err = folder / "err";
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(::open("/dev/null", O_RDONLY), 0);
        ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0644), 1);
        ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0644), 2);
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    rusage usage{};
    if (child < 0 || ::wait4(child, &status, 0, &usage) != child)
        throw std::runtime_error("cannot run a program");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(out),
            slurp(err), int64_t{usage.ru_maxrss} * 1024};
}

ProgramResult run_program(const std::string& arguments, const std::string& environment) {
    return run_shell(environment + " '" POLYTRAIN_PROGRAM "' " + arguments);
}

}  // namespace polytrain::testing
