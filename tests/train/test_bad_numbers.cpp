// What the message names where a step's numbers are not finite.

#include <limits>

#include "checkpoint/save.hpp"
#include "data/loader.hpp"
#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// The message of a step with all of a tensor's elements times `factor`; "" where the step is well.
std::string message_with(const std::string& tensor, float factor) {
    RunConfig config = tiny_config();
    config.model.feed_forward.activation = "polyrelu";  // its cube overflows first
    const TempFolder folder;
    const Machine machine(1);
    TrainingSession session(config, *machine.backend, machine.ops);
    session.initialise(config.seed);
    auto files = session.snapshot(1);
    for (TensorSlice& slice : files[0].slices)
        if (slice.tensor == tensor)
            for (int64_t i = 0; i < slice.data.elements(); ++i) slice.data.as<float>()[i] *= factor;
    save_checkpoint(folder.path(), {}, files);
    session.restore(Checkpoint::open(checkpoint_folder(folder.path(), 0)));
    session.begin_step();
    HostBatch batch(3 * 40);
    const Loader loader(config.data, DataTokenizer(config.data), config.seed, 40, 61);
    for (int64_t first : {0, 3}) {
        loader.fill(first, 3, batch.ids.data(), batch.targets.data());
        session.accumulate(batch);
    }
    const Thrown thrown = thrown_by([&] { session.measure_step(7); });
    CHECK((thrown.code == ExitCode::kNumerics || thrown.code == ExitCode::kDone));
    return thrown.message;
}

}  // namespace

TEST_CASE("bad numbers: a weight that isn't finite is named before what it spoils") {
    const std::string message =
        message_with("layers.1.attention.out", std::numeric_limits<float>::quiet_NaN());
    CHECK_THAT(message, ContainsSubstring("step 7: the loss is nan"));
    CHECK_THAT(
        message,
        ContainsSubstring("First bad tensor in the model's order: weight layers.1.attention.out"));
}

TEST_CASE("bad numbers: finite weights that overflow name the first activation they spoil") {
    const std::string message = message_with("layers.1.feed_forward.up", 1e18F);
    INFO(message);
    CHECK_THAT(message,
               ContainsSubstring("First bad tensor in the model's order: activation layers.1."));
    CHECK(message_with("layers.1.feed_forward.up", 1.5F).empty());
}
