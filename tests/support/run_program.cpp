#include "support/run_program.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "support/temp_folder.hpp"

namespace polytrain::testing {

ProgramResult run_program(const std::string& arguments, const std::string& environment) {
    const TempFolder folder;
    const auto slurp = [](const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string command = environment + " '" POLYTRAIN_PROGRAM "' < /dev/null " + arguments +
                                " > '" + (folder / "out").string() + "' 2> '" +
                                (folder / "err").string() + "'";
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    rusage usage{};
    if (child < 0 || ::wait4(child, &status, 0, &usage) != child)
        throw std::runtime_error("cannot run a program");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(folder / "out"),
            slurp(folder / "err"), int64_t{usage.ru_maxrss} * 1024};
}

}  // namespace polytrain::testing
