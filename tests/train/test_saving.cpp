// Checkpoints of a run: which are kept, what happens when they can't be written, who may write.

#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/checked.hpp"
#include "support/file_size_limit.hpp"
#include "support/thrown.hpp"
#include "train/run_folder.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

TEST_CASE("saving: keep_last keeps the newest, keep_every its multiples besides") {
    RunConfig config = tiny_config();
    config.train.steps = 12;
    config.train.eval_sequences = 3;
    config.train.checkpoint_every = 1;
    const TempFolder folder;
    train_with(config, folder / "all", 2);
    CHECK(names_in_checkpoints(folder / "all").size() == 12);
    config.train.keep_last = 2;
    train_with(config, folder / "two", 2);
    CHECK(names_in_checkpoints(folder / "two") == std::vector<std::string>{"step-11", "step-12"});
    config.train.keep_every = 5;
    train_with(config, folder / "more", 2);
    CHECK(names_in_checkpoints(folder / "more") ==
          std::vector<std::string>{"step-10", "step-11", "step-12", "step-5"});
    config.train.keep_last = 1;
    config.train.steps = 14;
    train_with(config, folder / "more", 2, true);
    CHECK(names_in_checkpoints(folder / "more") ==
          std::vector<std::string>{"step-10", "step-14", "step-5"});
    CHECK(same_checkpoint(checkpoint_folder(folder / "all", 5),
                          checkpoint_folder(folder / "more", 5)));
}

TEST_CASE("saving: what killed saves left is removed by a resume, and nothing else is") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const fs::path checkpoints = folder.path() / "run/checkpoints";
    for (const char* name : {"step-30.tmp-12ab", "step-5.trash-34cd", "step-7.damaged", "mine",
                             "step-tmp-1", "step-030.tmp-1"})
        fs::create_directories(checkpoints / name / "inside");
    std::ofstream(folder.path() / "run/config.json.tmp-77") << "half";
    train_with(config, folder / "run", 2, true);
    CHECK_FALSE(fs::exists(folder.path() / "run/config.json.tmp-77"));
    CHECK(names_in_checkpoints(folder / "run") ==
          std::vector<std::string>{"mine", "step-030.tmp-1", "step-10", "step-20", "step-7.damaged",
                                   "step-tmp-1"});
}

TEST_CASE("saving: a disk that is full ends the run, or with `continue` at its end only") {
    RunConfig config = tiny_config();
    config.train.checkpoint_every = 4;
    config.train.checkpoint_background = GENERATE(true, false);
    const TempFolder folder;
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    for (const std::string policy : {"stop", "continue"}) {
        config.train.checkpoint_failure = policy;
        Thrown thrown;
        {
            const FileSizeLimit limit(50'000);  // metrics fit, moments do not
            thrown = thrown_by([&] { train_with(config, folder / policy, 2); });
        }
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCannotWrite);
        CHECK(thrown.says(".safetensors: no room for"));
        CHECK(thrown.says("the checkpoint needs"));
        CHECK(thrown.says("are free"));
        CHECK(names_in_checkpoints(folder / policy).empty());
        const size_t steps = metrics_of(folder / policy).size();
        CHECK((policy == "stop" ? steps >= 4 && steps < 20 : steps == 20));
    }
    std::signal(SIGXFSZ, ignored);
    // With room again it starts from where there is a checkpoint: here from nothing.
    CHECK(train_with(config, folder / "stop", 2, true).step == 20);
}

TEST_CASE("saving: one process at a time has a run folder") {
    const TempFolder folder;
    const RunConfig config = tiny_config();
    train_with(config, folder / "run", 2);
    {
        const OpenedRun first =
            open_run_folder(folder / "run", true, config, Machine(1).ops.activations(), Grid());
        const Thrown second = thrown_by([&] { train_with(config, folder / "run", 2, true); });
        CHECK(second.code == ExitCode::kCannotWrite);
        CHECK(second.says("train.lock: process " + std::to_string(::getpid()) + " on "));
    }
    CHECK(train_with(config, folder / "run", 2, true).step == 20);
}

TEST_CASE("saving: launches of a second each make the run that one launch makes") {
    RunConfig config = tiny_config();
    config.train.steps = 40;
    const TempFolder folder;
    train_with(config, folder / "whole", 2);
    config.train.seconds = 0.05;
    int launches = 0;
    for (bool done = false; !done; ++launches) {
        const Thrown thrown = thrown_by([&] { train_with(config, folder / "cut", 2, true); });
        done = thrown.code == ExitCode::kDone;
        if (!done) REQUIRE(thrown.code == ExitCode::kRequeue);
        REQUIRE(launches < 41);  // each makes one step at least
    }
    CHECK(launches > 1);
    CHECK(metrics_of(folder / "cut") == metrics_of(folder / "whole"));
    CHECK(same_checkpoint(checkpoint_folder(folder / "cut", 40),
                          checkpoint_folder(folder / "whole", 40)));
}

TEST_CASE("saving: the snapshot is in the memory plan, and not in the arena") {
    const Machine machine(1);
    RunConfig config = tiny_config();
    config.precision = GENERATE("f32", "bf16");
    const TrainingPlan plan = plan_training(config, machine.ops);
    TrainingSession session(config, *machine.backend, machine.ops);
    session.initialise(1);
    const auto files = session.snapshot(1);
    REQUIRE(files.size() == 2);
    CHECK(files[1].slices.size() == 2 * files[0].slices.size());
    int64_t bytes = 0;
    for (const FileContents& file : files)
        for (const TensorSlice& slice : file.slices) {
            CHECK(slice.dtype() == DType::kF32);  // of bf16 weights both parts
            bytes += round_up(static_cast<int64_t>(slice.data.bytes()), Backend::kAlignment);
            if (slice.remainder.data != nullptr)
                bytes +=
                    round_up(static_cast<int64_t>(slice.remainder.bytes()), Backend::kAlignment);
        }
    CHECK(plan.memory.bytes(Life::kSnapshot) == static_cast<size_t>(bytes));
}

TEST_CASE("saving: without a copy training waits, and the checkpoints are the same") {
    RunConfig config = tiny_config();
    config.precision = GENERATE("f32", "bf16");
    const TempFolder folder;
    train_with(config, folder / "copied", 2);
    config.train.checkpoint_background = false;
    const Machine machine(2);
    CHECK(plan_training(config, machine.ops).memory.bytes(Life::kSnapshot) == 0);
    train_with(config, folder / "waited", 2);
    CHECK(metrics_of(folder / "waited") == metrics_of(folder / "copied"));
    for (int64_t step : {10, 20})
        CHECK(same_checkpoint(checkpoint_folder(folder / "waited", step),
                              checkpoint_folder(folder / "copied", step)));
}

TEST_CASE("saving: a run whose last evaluation was cut off gets it when it is resumed") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const auto whole = metrics_of(folder / "run");
    REQUIRE(whole.back().contains("val_loss"));
    {
        auto cut = whole;
        cut.back().erase("val_loss");
        cut.back().erase("coefficients");
        std::ofstream out(folder.path() / "run/metrics.jsonl");
        for (const auto& line : cut) out << line.dump() << "\n";
    }
    CHECK(train_with(config, folder / "run", 2, true).step == 20);
    CHECK(metrics_of(folder / "run") == whole);
    CHECK(train_with(config, folder / "run", 2, true).step == 20);  // nothing left to do
    CHECK(metrics_of(folder / "run") == whole);
}

TEST_CASE("saving: a signal before the first step of a launch leaves the run as it was") {
    RunConfig config = tiny_config();
    const TempFolder folder;
    const auto stopped = [&] {
        const StopSignals signals;
        ::kill(::getpid(), SIGTERM);
        while (signals.caught() == 0) std::this_thread::yield();
        const Machine machine(2);
        return thrown_by([&] {
            train(config, {folder / "run", true, &signals}, *machine.backend, machine.ops);
        });
    };
    const Thrown fresh = stopped();
    CHECK(fresh.code == ExitCode::kRequeue);
    CHECK(fresh.says("SIGTERM: stopped after step 0, there is nothing to save yet"));
    CHECK(names_in_checkpoints(folder / "run").empty());
    train_with(config, folder / "run", 2, true);
    config.train.steps = 30;
    const Thrown resumed = stopped();
    INFO(resumed.message);
    CHECK(resumed.code == ExitCode::kRequeue);
    CHECK(resumed.says("stopped after step 20"));
    CHECK(names_in_checkpoints(folder / "run") == std::vector<std::string>{"step-10", "step-20"});
}
