#include "train/tensorboard.hpp"

#include <ctime>

#include "support/file_limit.hpp"
#include "train/event_files.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

StepMetrics step_metrics(int64_t step) {
    StepMetrics metrics;
    metrics.step = step;
    metrics.loss = 1.0 / static_cast<double>(step);
    return metrics;
}

}  // namespace

TEST_CASE("tensorboard: the points are those of metrics.jsonl, also after a kill and a resume") {
    RunConfig config = tiny_config();
    const TempFolder folder;
    const fs::path run = folder / "run", events = run / "tensorboard";
    train_with(config, run, 2);
    REQUIRE(files_in(events).size() == 1);
    // As if it were killed after its 20th step, while writing: back to the checkpoint of step 10.
    fs::remove_all(run / "checkpoints/step-20");
    fs::resize_file(files_in(events)[0], fs::file_size(files_in(events)[0]) - 3);
    CHECK(scalars_of(events)["loss"].size() == 19);
    config.train.steps = 15;
    config.optimizer.lr = 0.005;
    train_with(config, run, 2, true);
    REQUIRE(files_in(events).size() == 2);

    const auto scalars = scalars_of(events);
    const auto metrics = metrics_of(run);
    REQUIRE(metrics.size() == 15);
    const auto at = [&](const std::string& tag, int64_t step) {
        const auto& points = scalars.at(tag);
        return points.contains(step) ? points.at(step) : -1000.0f;
    };
    for (const char* tag : {"loss", "grad_norm", "lr"}) {
        CHECK(scalars.at(tag).size() == 15);
        for (int64_t step = 1; step <= 15; ++step)
            CHECK(at(tag, step) == metrics[static_cast<size_t>(step) - 1][tag].get<float>());
    }
    CHECK(scalars.at("tokens_per_s").size() == 15);
    CHECK(scalars.at("mfu").size() == 15);
    CHECK(scalars.at("val/synthetic").size() == 3);
    for (size_t step : {5, 10, 15}) {
        const auto& line = metrics[step - 1];
        CHECK(at("val/synthetic", static_cast<int64_t>(step)) == line["val_loss"].get<float>());
        REQUIRE(line["coefficients"].size() == 2);
        for (int layer : {0, 1})
            for (size_t k = 0; k < 4; ++k)
                CHECK(
                    at(fmt::format("coefficients/layers.{}/a{}", layer, k),
                       static_cast<int64_t>(step)) ==
                    line["coefficients"][fmt::format("layers.{}.feed_forward.coefficients", layer)]
                        .at(k)
                        .get<float>());
    }
    CHECK(scalars.size() == 6 + 2 * 4);
}

TEST_CASE("tensorboard: a file begins with its version and the session's first step") {
    const TempFolder folder;
    TensorBoard board(folder / "tb", 41);
    board.append(step_metrics(300));
    const auto files = files_in(folder / "tb");
    REQUIRE(files.size() == 1);
    CHECK(files[0].filename().string().starts_with("events.out.tfevents."));
    const auto records = records_of(files[0]);
    REQUIRE(records.size() == 3);
    CHECK(event_of(records[0]).file_version == "brain.Event:2");
    const Event start = event_of(records[1]);
    CHECK(start.session_start);
    CHECK(start.step == 42);
    const Event step = event_of(records[2]);
    CHECK(step.step == 300);
    CHECK(step.scalars.at("loss") == Approx(1 / 300.0));
    CHECK(step.wall_time == Approx(static_cast<double>(std::time(nullptr))).margin(5));
    // A later file is the last by name, also within a second and with a clock that was set back.
    spit(folder.path() / "tb/events.out.tfevents.9999999990.other", "");
    const TensorBoard later(folder / "tb", 41);
    CHECK(files_in(folder / "tb")
              .back()
              .filename()
              .string()
              .starts_with("events.out.tfevents.9999999991."));
}

TEST_CASE("tensorboard: what can't be written is lost, and nothing else") {
    const TempFolder folder;
    spit(folder / "tb", "a file where the folder should be");
    TensorBoard none(folder / "tb", 0);
    none.append(step_metrics(1));

    TensorBoard board(folder / "full", 0);
    board.append(step_metrics(1));
    {
        const FileLimit limit(fs::file_size(files_in(folder / "full")[0]) + 20);
        board.append(step_metrics(2));
        board.append(step_metrics(3));
    }
    board.append(step_metrics(4));
    const auto points = scalars_of(folder / "full").at("loss");
    CHECK(points == std::map<int64_t, float>{{1, 1.0f}, {4, 0.25f}});
}

TEST_CASE("tensorboard: off by train.tensorboard") {
    RunConfig config = tiny_config();
    config.train.steps = 1;
    config.optimizer.schedule.warmup_steps = 0;
    config.train.tensorboard = false;
    const TempFolder folder;
    train_with(config, folder / "run", 1);
    CHECK_FALSE(fs::exists(folder.path() / "run/tensorboard"));
}
