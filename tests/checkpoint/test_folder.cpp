// Names in RUN/checkpoints, retention, leftovers, and saves in the background.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint/background_saver.hpp"
#include "checkpoint/checkpoint.hpp"
#include "core/strict_json.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

TrainState state_of(int64_t step) {
    TrainState state;
    state.step = step;
    return state;
}

void save(const fs::path& run, int64_t step) {
    save_checkpoint(run, state_of(step), {});
}

}  // namespace

TEST_CASE("checkpoint names") {
    CHECK(step_of("step-0") == 0);
    CHECK(step_of("step-120") == 120);
    for (const char* name : {"step-", "step-01", "step--1", "step-1 ", "step-1.tmp-2", "Step-1",
                             "step-99999999999999999999", "step-+1", ""})
        CHECK_FALSE(step_of(name));
    CHECK(is_leftover("step-7.tmp-0a"));
    CHECK(is_leftover("step-7.trash-0a"));
    for (const char* name : {"step-7", "step-7.damaged", "step-07.tmp-1", "step-.tmp-1", "tmp-1",
                             "a.step-7.tmp-1", "step-7.tmp", "step-7.damaged.tmp-1"})
        CHECK_FALSE(is_leftover(name));
}

TEST_CASE("retention: the newest by number, and the multiples; never the newest of all") {
    Random random("retention");
    for (int trial = 0; trial < 20; ++trial) {
        const TempFolder run;
        const int64_t keep_last = random.integer(0, 4), keep_every = random.integer(0, 4);
        std::vector<int64_t> steps;
        for (int64_t step = 1; step <= 14; ++step)
            if (random.integer(0, 1) == 1) steps.push_back(step);
        for (const int64_t step : steps)
            fs::create_directories(checkpoint_folder(run.path(), step) / "inside");
        fs::create_directories(run / "checkpoints/step-3.damaged");
        remove_old_checkpoints(run.path(), {keep_last, keep_every});
        std::vector<std::string> expected{"step-3.damaged"};
        for (size_t i = 0; i < steps.size(); ++i) {
            const bool newest = static_cast<int64_t>(steps.size() - i) <= keep_last;
            if (keep_last == 0 || newest || (keep_every > 0 && steps[i] % keep_every == 0))
                expected.push_back("step-" + std::to_string(steps[i]));
        }
        std::sort(expected.begin(), expected.end());
        CHECK(names_in_checkpoints(run.path()) == expected);
    }
}

TEST_CASE("background saver: one save at a time, its error once, and what is old goes after it") {
    const TempFolder run;
    float value = 1;
    const auto files = [&] {
        return std::vector<FileContents>{
            {"weights.safetensors", {{"w", Tensor{&value, Shape{1}, DType::kF32, {}}}}}};
    };
    const auto alone = make_local_communicator();
    BackgroundSaver saver(run.path(), {.keep_last = 1}, *alone);
    CHECK_FALSE(saver.busy());
    CHECK(saver.saved_step() == 0);
    saver.start(state_of(1), files());
    CHECK(saver.busy());
    CHECK(thrown_by([&] { saver.start(state_of(2), files()); }).code == ExitCode::kInternal);
    saver.wait();
    CHECK_FALSE(saver.busy());
    CHECK_FALSE(saver.check());
    CHECK(saver.saved_step() == 1);

    saver.start(state_of(1), files());  // it is there already
    CHECK(thrown_by([&] { saver.wait(); }).code == ExitCode::kCannotWrite);
    CHECK_FALSE(saver.busy());
    saver.wait();
    CHECK(saver.saved_step() == 1);

    saver.start(state_of(2), files());
    while (!saver.check()) {
    }
    CHECK(saver.saved_step() == 2);
    CHECK(names_in_checkpoints(run.path()) == std::vector<std::string>{"step-2"});
    {
        BackgroundSaver other(run.path(), {}, *alone);
        other.start(state_of(3), files());
    }  // waits
    CHECK(Checkpoint::open(checkpoint_folder(run.path(), 3)).state().step == 3);
}

TEST_CASE("resume: what there may be in RUN/checkpoints, and what is taken") {
    const TempFolder run;
    const auto folder = [&](int64_t step) { return checkpoint_folder(run.path(), step); };
    const auto newest = [&](size_t passed) -> int64_t {
        std::vector<PassedOver> passed_over;
        const auto checkpoint = newest_checkpoint(run.path(), passed_over);
        CHECK(passed_over.size() == passed);
        for (const PassedOver& other : passed_over) CHECK_FALSE(other.reason.empty());
        return checkpoint ? checkpoint->state().step : -1;
    };
    CHECK(newest(0) == -1);  // no folder at all
    fs::create_directories(run / "checkpoints");
    CHECK(newest(0) == -1);
    for (const int64_t step : {2, 4, 6}) save(run.path(), step);
    CHECK(newest(0) == 6);
    int64_t expected = 6;
    size_t passed = 1;
    SECTION("an empty folder") {
        fs::create_directories(folder(8));
    }
    SECTION("a file in a checkpoint's place") {
        spit(folder(8), "x");
    }
    SECTION("a link to nothing") {
        fs::create_symlink(run / "nowhere", folder(8));
    }
    SECTION("an older checkpoint under a newer name") {
        fs::copy(folder(2), folder(8));
    }
    SECTION("an empty manifest") {
        fs::create_directories(folder(8));
        spit(folder(8) / kManifestName, "");
    }
    SECTION("a manifest that is a folder") {
        fs::create_directories(folder(8) / kManifestName);
    }
    SECTION("a manifest of the version before") {
        std::string text = slurp(folder(6) / kManifestName);
        auto json = parse_sealed_json(text, "manifest");
        json["version"] = 1;
        json.erase("updates");
        fs::create_directories(folder(8));
        spit(folder(8) / kManifestName, seal_json(json));
        const Thrown thrown = thrown_by([&] { Checkpoint::open(folder(8)); });
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK(thrown.says("format version 1, this program reads version 2 only"));
        // It is good, for another program: nothing steps over it.
        std::vector<PassedOver> passed_over;
        CHECK(thrown_by([&] { newest_checkpoint(run.path(), passed_over); }).code ==
              ExitCode::kBadConfig);
        fs::remove_all(folder(8));
        passed = 0;
    }
    SECTION("a save that was killed") {
        fs::create_directories(run / "checkpoints/step-8.tmp-1");
    }
    SECTION("a complete save that was killed before its rename") {
        fs::copy(folder(6), run / "checkpoints/step-8.tmp-1");
    }
    SECTION("a removal that was killed") {
        fs::rename(folder(6), run / "checkpoints/step-6.trash-1");
        expected = 4;
    }
    SECTION("the newest without its manifest, the next with half of it") {
        fs::remove(folder(6) / kManifestName);
        const auto size = fs::file_size(folder(4) / kManifestName);
        fs::resize_file(folder(4) / kManifestName, size / 2);
        expected = 2;
        passed = 2;
    }
    SECTION("files that nobody named") {
        spit(folder(6) / "more.safetensors", "x");
        spit(run / "checkpoints/latest", "step-4");
        passed = 0;
    }
    SECTION("names that are no steps") {
        for (const char* name : {"step-08", "step-8x", "step-", "step--8", "step-8.damaged"})
            fs::create_directories(run / "checkpoints" / name);
        passed = 0;
    }
    SECTION("nothing that verifies") {
        for (const int64_t step : {2, 4, 6}) flip_bit(folder(step) / kManifestName, 9, 1);
        expected = -1;
        passed = 3;
    }
    const auto before = names_in_checkpoints(run.path());
    CHECK(newest(passed) == expected);
    CHECK(names_in_checkpoints(run.path()) == before);
}
