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
    require_well(ranks, "collectives " + std::to_string(test_seed()) + " 1073741824 " +
                            std::to_string(ranks));
}

TEST_CASE("counts beyond one message's are sent in parts", "[comm]") {
    if (!have_mpirun()) return;
    require_well(2, "collectives " + std::to_string(test_seed()) + " 1000 2");
    require_well(3, "collectives " + std::to_string(test_seed()) + " 500 3");
}

TEST_CASE("many calls may be under way, on several groups", "[comm]") {
    if (!have_mpirun()) return;
    require_well(GENERATE(1, 2, 4), "many " + std::to_string(test_seed()));
}

TEST_CASE("a call goes on while its caller computes", "[comm]") {
    if (!have_mpirun()) return;
    require_well(2, "overlap");
}

TEST_CASE("the group of one rank has all done at once", "[comm]") {
    const auto group = make_local_communicator();
    REQUIRE(group->rank() == 0);
    REQUIRE(group->size() == 1);
    const std::vector<char> send{1, 2, 3, 4};
    std::vector<char> receive{9, 9, 9, 9};
    const std::vector<int64_t> from{1, 3}, to{2, 4}, longer{0, 4};
    REQUIRE(group->all_to_all(send.data(), ranges_of(from), receive.data(), ranges_of(to), "rows")
                .done());
    REQUIRE(receive == std::vector<char>{9, 9, 2, 3});
    group->all_to_all(nullptr, std::vector<Range>(1), nullptr, std::vector<Range>(1), "").wait();
    std::vector<int64_t> values{5, -7};
    group->all_reduce({values.data(), Shape{2}, DType::kI64, {}}, Reduce::kSum, "sum").wait();
    REQUIRE(values == std::vector<int64_t>{5, -7});
    group->all_gather(receive.data(), longer, "all").wait();
    group->broadcast(receive.data(), 4, 0, "ids").wait();
    REQUIRE(receive == std::vector<char>{9, 9, 2, 3});
    REQUIRE(gather_texts(*group, "one", "texts") == std::vector<std::string>{"one"});
    barrier(*group, "barrier");

    const auto thrown = [&](const auto& call) { return thrown_by(call).code; };
    REQUIRE(thrown([&] {
                group->all_to_all(send.data(), ranges_of(from), receive.data(), ranges_of(longer),
                                  "");
            }) == ExitCode::kInternal);
    REQUIRE(thrown([&] { group->all_gather(receive.data(), std::vector<int64_t>{0}, ""); }) ==
            ExitCode::kInternal);
    REQUIRE(thrown([&] { group->broadcast(receive.data(), 4, 1, ""); }) == ExitCode::kInternal);
    REQUIRE(thrown([&] {
                group->all_reduce({receive.data(), Shape{4}, DType::kU8, {}}, Reduce::kSum, "");
            }) == ExitCode::kInternal);
}

TEST_CASE("a program that no launcher started is a world of one, without MPI", "[comm]") {
    const auto world = World::open();
    REQUIRE(world->size() == 1);
    REQUIRE(world->rank() == 0);
    REQUIRE(world->local_size() == 1);
    REQUIRE(world->split(3, "part", false)->size() == 1);
    world->set_timeout(1);
    world->abort(ExitCode::kInternal);  // does nothing
}

#ifndef POLYTRAIN_MPI
TEST_CASE("a program without MPI refuses to be one of several ranks", "[comm]") {
    ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    const Thrown thrown = thrown_by([] { World::open(); });
    ::setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    REQUIRE(World::open()->size() == 1);
    ::unsetenv("OMPI_COMM_WORLD_SIZE");
    REQUIRE(thrown.code == ExitCode::kInternal);
    REQUIRE(thrown.says("without MPI"));
}
#endif
