// A mixture of experts on two imitated machines (two_nodes.sh), where that is possible.

#include "dist/runs.hpp"
#include "support/child_program.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("two machines train a mixture of experts to the bits of two ranks on one") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const Spread spread{2, 2, 1};
    const std::filesystem::path config = write_config(folder, small_moe(), spread, "config");
    const ProgramResult two =
        ChildProgram({POLYTRAIN_PROGRAM, "train", config.string(), "--out", folder / "two"},
                     POLYTRAIN_SOURCE_DIR "/tests/dist/two_nodes.sh")
            .wait();
    constexpr int kNotPossible = 77;
    if (two.exit_code == kNotPossible) {
        std::cout << two.out;
        return;
    }
    INFO(two.err);
    REQUIRE(two.exit_code == 0);
    REQUIRE(train_ranks(config, spread, folder / "one").exit_code == 0);
    check_same(Checkpoint::open(checkpoint_folder(folder / "one", 4)),
               Checkpoint::open(checkpoint_folder(folder / "two", 4)), 0);
    CHECK(metrics_of(folder / "one") == metrics_of(folder / "two"));
}
