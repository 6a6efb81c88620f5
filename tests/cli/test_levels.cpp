#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;

namespace {

int check_levels(const std::filesystem::path& root) {
    const int status = std::system(("'" POLYTRAIN_SOURCE_DIR "/scripts/check_levels.sh' '" +
                                    root.string() + "' > /dev/null 2>&1")
                                       .c_str());
    return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("levels: the tree keeps them, planted upward includes fail") {
    const std::filesystem::path source = POLYTRAIN_SOURCE_DIR;
    CHECK(check_levels(source) == 0);
    const TempFolder copy;
    for (const char* folder : {"src", "kernels"})
        std::filesystem::copy(source / folder, copy / folder,
                              std::filesystem::copy_options::recursive);
    CHECK(check_levels(copy.path()) == 0);
    const std::pair<const char*, const char*> planted[] = {
        {"src/core/planted.cpp", "\"tensor/tensor.hpp\""},
        {"src/core/planted.cpp", "<tensor/tensor.hpp>"},
        {"src/core/planted.cpp", "\"../tensor/tensor.hpp\""},
        {"src/nn/planted.hpp", "\"data/loader.hpp\""},  // the same level, another module
        {"src/nn/planted.hpp", "\"config/load.hpp\""},
        {"src/train/planted.cpp", "\"kernels/cpu/backend.hpp\""},
        {"kernels/cpu/planted.cpp", "\"nn/layer.hpp\""},
        {"src/elsewhere/planted.cpp", "\"core/error.hpp\""},
    };
    for (const auto& [file, included] : planted) {
        INFO(file << " includes " << included);
        std::filesystem::create_directories((copy.path() / file).parent_path());
        std::ofstream(copy.path() / file) << "#include " << included << "\n";
        CHECK(check_levels(copy.path()) != 0);
        std::filesystem::remove(copy.path() / file);
    }
}

TEST_CASE("mutants: every patch applies to the tree, and the page has the table of them") {
    const std::string script = "'" POLYTRAIN_SOURCE_DIR "/scripts/mutants.sh' ";
    const ProgramResult check = run_shell(script + "--check");
    INFO(check.out << check.err);
    CHECK(check.exit_code == 0);
    const ProgramResult table = run_shell(script + "--table");
    REQUIRE(table.out.size() > 1000);
    CHECK(polytrain::read_file(POLYTRAIN_SOURCE_DIR "/docs/distributed.md").find(table.out) !=
          std::string::npos);
}
