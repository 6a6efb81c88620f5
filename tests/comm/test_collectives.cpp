// Collectives among several ranks (ranks/collectives.cpp compares their results) and in the group
// of one.

#include "comm/world.hpp"
#include "support/catch.hpp"
#include "support/mpirun.hpp"
#include "support/random.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

void require_well(int ranks, const std::string& arguments) {
    const ProgramResult result = run_ranks(ranks, "'" POLYTRAIN_COMM_RANKS "' " + arguments);
    INFO(ranks << " ranks: " << arguments << "\n" << result.err);
    REQUIRE(result.exit_code == 0);
}

}  // namespace

TEST_CASE("collectives give every rank what they say", "[comm]") {
    if (!have_mpirun()) return;
    const int ranks = GENERATE(1, 2, 4);
    require_well(ranks, "collectives " + std::to_string(test_seed()) + " 1073741824");
}

TEST_CASE("counts beyond one message's are sent in parts", "[comm]") {
    if (!have_mpirun()) return;
    require_well(2, "collectives " + std::to_string(test_seed()) + " 1000");
    require_well(3, "collectives " + std::to_string(test_seed()) + " 64");
}

TEST_CASE("many calls may be under way, on several groups", "[comm]") {
    if (!have_mpirun()) return;
    require_well(GENERATE(1, 2, 4), "many " + std::to_string(test_seed()));
}

TEST_CASE("a call goes on while its caller computes", "[comm]") {
    if (!have_mpirun()) return;
    require_well(2, "overlap");
}
