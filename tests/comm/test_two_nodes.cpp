// Two imitated machines (tests/dist/two_nodes.sh), where that is possible.

#include <iostream>

#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/mpirun.hpp"
#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

const std::string kTwoNodes = POLYTRAIN_SOURCE_DIR "/tests/dist/two_nodes.sh";

bool skipped(const ProgramResult& result) {
    constexpr int kNotPossible = 77;
    if (result.exit_code == kNotPossible) std::cout << result.out;
    return result.exit_code == kNotPossible;
}

}  // namespace

TEST_CASE("collectives between two machines", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = ChildProgram({POLYTRAIN_COMM_RANKS, "collectives",
                                               std::to_string(test_seed()), "100000", "1"},
                                              kTwoNodes)
                                     .wait();
    if (skipped(result)) return;
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
}

TEST_CASE("a link that goes down is told as such", "[comm]") {
    if (!have_mpirun()) return;
    ChildProgram job({POLYTRAIN_COMM_RANKS, "endless"}, kTwoNodes);
    const bool up =
        job.wait_until([&] { return !job.out().empty(); });  // "ready", or why it was skipped
    REQUIRE(up);
    const std::string down =
        "ip -n polytrain-" + std::to_string(job.id()) + "-b link set eth0 down 2> /dev/null";
    if (job.out().find("ready") != std::string::npos) REQUIRE(std::system(down.c_str()) == 0);
    const ProgramResult result = job.wait();
    if (skipped(result)) return;
    INFO(result.err);
    REQUIRE(result.exit_code == 69);
    REQUIRE_THAT(result.err, ContainsSubstring("rank 1 (on b.node) does not answer"));
}
