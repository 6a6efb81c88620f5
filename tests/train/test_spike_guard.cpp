#include <cmath>
#include <numeric>

#include "data/loader.hpp"
#include "optim/schedule.hpp"
#include "support/random.hpp"
#include "train/spike_guard.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

RunConfig guarded_config() {
    RunConfig config = tiny_config();
    config.train.spike_guard = {1.0, 1.0, 5};  // so low that some of 20 steps are skipped
    config.train.checkpoint_every = 1;
    return config;
}

std::vector<bool> skipped_steps(const std::filesystem::path& run) {
    std::vector<bool> skipped;
    for (const auto& line : metrics_of(run)) {
        skipped.push_back(line.contains("skipped"));
        if (skipped.back()) CHECK(line["skipped"] == true);
    }
    return skipped;
}

}  // namespace

TEST_CASE("spike guard: mean and population deviation of the window before the step") {
    SpikeGuard guard({2.0, 0, 4});
    for (const double loss : {1.0, 100.0, 3.0, 5.0}) CHECK_FALSE(guard.is_spike(loss, 1e9));
    // 1, 100, 3, 5: mean 27.25, deviation 42.03: the limit is 111.3.
    CHECK_FALSE(guard.is_spike(111, 1e9));
    // 100, 3, 5, 111: mean 54.75, deviation 50.94: 156.6; and the skipped value enters.
    CHECK(guard.is_spike(157, 1e9));
    CHECK_FALSE(guard.is_spike(1e-9, 1e9));  // far below is no spike
}

TEST_CASE("spike guard: agrees with the definition; a lasting shift heals") {
    Random random("spike guard");
    const double z = random.uniform(0.5, 3);
    const int64_t size = random.integer(2, 12);
    SpikeGuard guard({0, z, size});
    std::vector<double> norms;
    int spikes = 0, late_spikes = 0;
    for (int i = 0; i < 400; ++i) {
        const double norm = random.uniform(1, 2) + (i < 200 ? 0 : 10);
        bool expected = false;
        if (i >= size) {
            long double sum = 0, squares = 0;
            for (int64_t k = i - size; k < i; ++k) sum += norms[static_cast<size_t>(k)];
            const long double mean = sum / size;
            for (int64_t k = i - size; k < i; ++k)
                squares += std::pow(norms[static_cast<size_t>(k)] - mean, 2.0L);
            const long double limit = mean + z * std::sqrt(squares / size);
            if (std::abs(norm - limit) < 1e-9) break;  // too near to tell
            expected = norm > limit;
        }
        const bool spike = guard.is_spike(random.uniform(0, 1e6), norm);
        REQUIRE(spike == expected);
        norms.push_back(norm);
        if (i == 200) CHECK(spike);
        spikes += spike;
        late_spikes += spike && i > 200 + size;
    }
    CHECK(late_spikes < 190);
    CHECK(spikes > 0);
}

TEST_CASE("spike guard: a checkpoint carries the windows, as long as the config has them") {
    SpikeGuard guard({1, 1, 3});
    for (const double x : {1.0, 2.0, 3.0, 4.0}) guard.is_spike(x, 10 * x);
    TrainState state;
    guard.store(state);
    CHECK(state.loss_window == std::vector<double>{2, 3, 4});
    CHECK(state.grad_norm_window == std::vector<double>{20, 30, 40});
    SpikeGuard shorter({1, 0, 2});
    shorter.restore(state);
    shorter.store(state);
    CHECK(state.loss_window == std::vector<double>{3, 4});
    CHECK(state.grad_norm_window.empty());
}

TEST_CASE("training: a skipped step leaves weights and moments bit for bit, and all else goes on") {
    const RunConfig config = guarded_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const std::vector<bool> skipped = skipped_steps(folder / "run");
    REQUIRE(skipped.size() == 20);
    const auto count = std::count(skipped.begin(), skipped.end(), true);
    REQUIRE(count > 0);
    CHECK(std::none_of(skipped.begin(), skipped.begin() + 5, [](bool x) { return x; }));
    int64_t updates = 0;
    for (int64_t step = 1; step <= 20; ++step) {
        updates += !skipped[static_cast<size_t>(step) - 1];
        const Checkpoint now = Checkpoint::open(checkpoint_folder(folder / "run", step));
        CHECK(now.state().step == step);
        CHECK(now.state().updates == updates);
        CHECK(now.state().tokens == step * 240);
        CHECK(now.state().next_sample == step * 6);
        if (step == 1) continue;
        CHECK(same_tensors(checkpoint_folder(folder / "run", step),
                           checkpoint_folder(folder / "run", step - 1)) ==
              skipped[static_cast<size_t>(step) - 1]);
    }

    // The same by hand: Adam counts updates, the schedule and the data count steps.
    const Machine machine(2);
    TrainingSession session(config, *machine.backend, machine.ops);
    session.initialise(config.seed);
    const Loader loader(config.data, DataTokenizer(config.data), config.seed, 40, 61);
    updates = 0;
    for (int64_t step = 1; step <= 20; ++step) {
        session.begin_step();
        for (int64_t first : {0, 3}) {
            HostBatch batch(3 * 40);
            loader.fill((step - 1) * 6 + first, 3, batch.ids.data(), batch.targets.data());
            session.accumulate(batch);
        }
        session.measure_step(step);
        if (!skipped[static_cast<size_t>(step) - 1])
            session.update(++updates, learning_rate(config.optimizer, {20, 4, 0}, step));
    }
    TrainState state;
    state.step = 20;
    save_checkpoint(folder / "by_hand", state, session.snapshot(20));
    CHECK(same_tensors(checkpoint_folder(folder / "by_hand", 20),
                       checkpoint_folder(folder / "run", 20)));
}

TEST_CASE("training: resumed at each of 20 steps, skipped ones too, the rest has the same bits") {
    RunConfig config = guarded_config();
    const TempFolder folder;
    train_with(config, folder / "whole", 2);
    config.train.checkpoint_every = 7;
    const auto whole = metrics_of(folder / "whole");
    for (int64_t step = 1; step < 20; ++step) {
        INFO(step);
        const auto run = folder / "cut";
        std::filesystem::remove_all(run);
        std::filesystem::create_directories(run / "checkpoints");
        std::filesystem::copy(folder / "whole/metrics.jsonl", run / "metrics.jsonl");
        std::filesystem::copy(checkpoint_folder(folder / "whole", step),
                              checkpoint_folder(run, step));
        train_with(config, run, 2, true);
        CHECK(metrics_of(run) == whole);
        CHECK(same_checkpoint(checkpoint_folder(run, 20), checkpoint_folder(folder / "whole", 20)));
    }
}
