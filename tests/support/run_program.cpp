#include "support/run_program.hpp"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "support/temp_folder.hpp"

namespace polytrain::testing {

ProgramResult run_program(const std::string& arguments, const std::string& environment) {
    const TempFolder folder;
    const auto slurp = [](const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string command = environment + " '" POLYTRAIN_PROGRAM "' " + arguments + " > '" +
                                (folder / "out").string() + "' 2> '" + (folder / "err").string() +
                                "' < /dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(folder / "out"),
            slurp(folder / "err")};
}

}  // namespace polytrain::testing
