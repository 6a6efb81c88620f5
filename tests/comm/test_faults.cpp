// Ranks that are killed, stop, hang, disagree or fail (ranks/faults.cpp): the job ends with the
// exit code that says so, and a message names who and where. The watchdog's timeout is 2 s there.

#include <csignal>
#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/damage.hpp"
#include "support/mpirun.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

ProgramResult run_case(int ranks, const std::string& arguments) {
    return run_ranks(ranks, "'" POLYTRAIN_COMM_RANKS "' " + arguments, 60);
}

}  // namespace

TEST_CASE("a rank that is killed ends the job", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(2, "fault kill");
    INFO(result.err);
    REQUIRE(result.exit_code == 137);
}

TEST_CASE("a rank that stops is named", "[comm]") {
    if (!have_mpirun()) return;
    const int ranks = GENERATE(2, 4);
    const TempFolder folder;
    const Stopwatch clock;
    const ProgramResult result = run_case(ranks, "fault stop '" + folder.path().string() + "'");
    INFO(result.err);
    REQUIRE(result.exit_code == 69);
    REQUIRE(clock.seconds() < 20);
    const std::string culprit = "rank " + std::to_string(ranks - 1);
    REQUIRE_THAT(result.err, ContainsSubstring(culprit + " does not answer"));
    REQUIRE_THAT(result.err,
                 ContainsSubstring("all_to_all 'layers.3.moe rows', call 2 of group "
                                   "'all', " +
                                   std::to_string(1000 * (ranks - 1)) + " bytes, step 7"));
    int traces = 0;
    for (int rank = 0; rank < ranks; ++rank) {
        const auto path = folder / ("comm-trace-rank-" + std::to_string(rank) + ".json");
        if (!std::filesystem::exists(path)) continue;  // was ended by another's verdict
        ++traces;
        const auto trace = nlohmann::json::parse(slurp(path));
        REQUIRE(trace.at("rank") == rank);
        REQUIRE(trace.at("calls").size() == 3);
        REQUIRE(trace.at("calls").at(1).at("ended").is_number());
        const auto& last = trace.at("calls").at(2);
        REQUIRE(last.at("label") == "layers.3.moe rows");
        REQUIRE(last.at("step") == 7);
        REQUIRE(last.at("started").is_number());
        REQUIRE(last.at("ended").is_null());
    }
    REQUIRE(traces >= 1);
}

TEST_CASE("a rank whose main thread hangs is named, and where it is", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(2, "fault hang");
    INFO(result.err);
    REQUIRE(result.exit_code == 69);
    REQUIRE_THAT(result.err, ContainsSubstring("all_to_all 'layers.3.moe rows', call 2"));
    REQUIRE_THAT(result.err, ContainsSubstring("rank 1 has not entered it: it is at step 7, where "
                                               "its main thread hangs or is slow since call 1 of "
                                               "group 'all', all_reduce 'second'"));
}

TEST_CASE("who waits for the culprit names it, not who waits for that one", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(4, "chain");
    INFO(result.err);
    REQUIRE(result.exit_code == 69);
    REQUIRE_THAT(result.err, ContainsSubstring("rank 2 waited"));
    REQUIRE_THAT(result.err, ContainsSubstring("rank 3 has not entered it"));
    REQUIRE_THAT(result.err, !ContainsSubstring("rank 2 has not entered it"));
}

TEST_CASE("ranks that call different collectives are told the first", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(2, "fault other");
    INFO(result.err);
    REQUIRE(result.exit_code == 70);
    REQUIRE_THAT(result.err, ContainsSubstring("call 2 of group 'all', step 7"));
    REQUIRE_THAT(result.err, ContainsSubstring("all_to_all 'layers.3.moe rows' on rank 0"));
    REQUIRE_THAT(result.err, ContainsSubstring("broadcast 'ids' (32 bytes from rank 0) on rank 1"));
}

TEST_CASE("a length on which two ranks disagree is named", "[comm]") {
    if (!have_mpirun()) return;
    const std::string kind = GENERATE("long", "short");
    const ProgramResult result = run_case(2, "fault " + kind);
    INFO(result.err);
    REQUIRE(result.exit_code == 70);
    REQUIRE_THAT(result.err, ContainsSubstring("call 2 of group 'all', step 7: all_to_all"));
    REQUIRE_THAT(result.err,
                 ContainsSubstring("rank 1 sends " + std::string(kind == "long" ? "5000" : "500") +
                                   " bytes to rank 0, which expects 1000"));
}

TEST_CASE("a patient group waits for who is late, not for who has stopped", "[comm]") {
    if (!have_mpirun()) return;
    SECTION("late by more than the timeout") {
        const ProgramResult result = run_case(2, "patient 3");
        INFO(result.err);
        REQUIRE(result.exit_code == 0);
    }
    SECTION("stopped") {
        const ProgramResult result = run_case(2, "patient -1");
        INFO(result.err);
        REQUIRE(result.exit_code == 69);
        REQUIRE_THAT(result.err, ContainsSubstring("rank 1 does not answer"));
        REQUIRE_THAT(result.err, ContainsSubstring("'saved'"));
    }
}

TEST_CASE("being late within the timeout is fine, and without one always", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(2, GENERATE("late 2 5", "late 2.5 0"));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
}

TEST_CASE("a rank's abort ends the job with its code", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(2, "abort 78");
    INFO(result.err);
    REQUIRE(result.exit_code == 78);
}

TEST_CASE("an error of all ranks is told once, one rank's by it", "[comm]") {
    if (!have_mpirun()) return;
    SECTION("of all") {
        const ProgramResult result = run_case(4, "fail 66 all");
        INFO(result.err);
        REQUIRE(result.exit_code == 66);
        REQUIRE_THAT(result.err, ContainsSubstring("[rank 0] error: as it was told"));
        REQUIRE(occurrences(result.err, "as it was told") == 1);
    }
    SECTION("of one") {
        const ProgramResult result = run_case(2, "fail 74 last");
        INFO(result.err);
        REQUIRE(result.exit_code == 74);
        REQUIRE_THAT(result.err, ContainsSubstring("[rank 1] error: as it was told"));
        REQUIRE(occurrences(result.err, "as it was told") == 1);
    }
    SECTION("a stop that ranks agree on") {
        const ProgramResult result = run_case(4, "fail 75 all");
        INFO(result.err);
        REQUIRE(result.exit_code == 75);
        REQUIRE(occurrences(result.err, "as it was told") == 1);
    }
}

TEST_CASE("SIGUSR1 to mpirun reaches all ranks, and their 75 comes back", "[comm]") {
    if (!have_mpirun()) return;
    std::vector<std::string> arguments = mpirun_arguments(2);
    arguments.insert(arguments.end(), {POLYTRAIN_COMM_RANKS, "signals"});
    ChildProgram job(arguments, "mpirun");
    REQUIRE(job.wait_until([&] { return occurrences(job.out(), "ready") == 1; }));
    job.send(SIGUSR1);
    const ProgramResult result = job.wait();
    INFO(result.err);
    REQUIRE(result.exit_code == 75);
    REQUIRE(occurrences(result.out, "SIGUSR1") == 2);
}

TEST_CASE("with no calls the engine's thread takes no processor", "[comm]") {
    if (!have_mpirun()) return;
    const ProgramResult result = run_case(1, "idle");
    INFO(result.err << result.out);
    REQUIRE(result.exit_code == 0);
    REQUIRE(std::stod(result.out) < 3);  // percent
}
