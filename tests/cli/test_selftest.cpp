#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;

TEST_CASE("selftest: the op suite on the CPU, some of it by name") {
    const ProgramResult result = run_program("selftest --filter rotary");
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, ContainsSubstring("All tests passed"));
    // What no case is called.
    CHECK(run_program("selftest --filter 'no, such [case]'").exit_code == 70);
    CHECK(run_program("selftest --device tpu").exit_code == 2);
}

TEST_CASE("selftest: without the suite beside the program it says how to build it") {
    const TempFolder folder;
    const ProgramResult result =
        run_shell("cp '" POLYTRAIN_PROGRAM "' '" + (folder / "polytrain").string() + "' && '" +
                  (folder / "polytrain").string() + "' selftest");
    CHECK(result.exit_code == 66);
    CHECK_THAT(result.err, ContainsSubstring("polytrain_selftest isn't there"));
    CHECK_THAT(result.err, ContainsSubstring("POLYTRAIN_TESTS=ON"));
}

TEST_CASE("selftest: without a CUDA device it says why") {
    const ProgramResult result =
        run_program("selftest --device cuda", "POLYTRAIN_CUDA_LIBRARY=/nowhere/cuda.so");
    CHECK(result.exit_code == 78);
    CHECK_THAT(result.err, ContainsSubstring("/nowhere/cuda.so"));
}

#ifdef POLYTRAIN_EMULATED_LIBRARY
TEST_CASE("selftest: the op suite on the emulated CUDA device") {
    const ProgramResult result =
        run_program("selftest --device cuda --filter rotary",
                    "POLYTRAIN_CUDA_LIBRARY='" POLYTRAIN_EMULATED_LIBRARY "'");
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, ContainsSubstring("All tests passed"));
    CHECK_THAT(result.err, ContainsSubstring("selftest on "));
}
#endif
