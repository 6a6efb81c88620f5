#include <cmath>

#include "support/file_limit.hpp"
#include "train/peak.hpp"
#include "train/progress.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("progress: the line") {
    StepMetrics metrics;
    metrics.step = 5;
    metrics.loss = 3.14159;
    metrics.grad_norm = 0.8121;
    metrics.lr = 0.001;
    CHECK(progress_line(metrics, {20, 9876.4, 0.414, 200}) ==
          "step 5/20  loss 3.1416  grad 0.812  lr 1.00e-03  9876 tokens/s  mfu 41%  left 3m20s");
    metrics.validation = {{"a", 3}, {"b", 3.4}};
    CHECK(progress_line(metrics, {0, 9876.4, 0, -1}) ==
          "step 5  loss 3.1416  grad 0.812  lr 1.00e-03  9876 tokens/s  val 3.2000");
}

TEST_CASE("progress: durations") {
    CHECK(duration_text(45.4) == "45s");
    CHECK(duration_text(200) == "3m20s");
    CHECK(duration_text(3720) == "1h02m");
}

TEST_CASE("progress: the recent speed is a mean over half a minute and eight steps at least") {
    RecentSpeed speed(100);
    CHECK(speed.tokens_per_s() == 0);
    CHECK(speed.seconds_per_step() == 0);
    // Steps of 2 s at 100 tokens/s, the second followed by an evaluation of 3 s.
    speed.add(102, 100);
    CHECK(speed.seconds_per_step() == 2);
    speed.add(107, 100);
    CHECK(speed.seconds_per_step() == 3.5);
    CHECK(speed.tokens_per_s() == Approx(100));
    // 300 tokens: 100 in 1 s, 100 in 1 s, 100 in 4 s.
    speed.add(111, 25);
    CHECK(speed.tokens_per_s() == Approx(300 / 6.0));
    // What is long ago doesn't count, but of slow steps eight do.
    for (int i = 1; i <= 100; ++i) speed.add(111 + i, 50);
    CHECK(speed.tokens_per_s() == Approx(50));
    CHECK(speed.seconds_per_step() == Approx(1));
    for (int i = 1; i <= 8; ++i) speed.add(211 + 100 * i, 0.5);
    CHECK(speed.tokens_per_s() == Approx(0.5));
    CHECK(speed.seconds_per_step() == Approx(100));
    speed.add(1011 + 20, 1);
    CHECK(speed.seconds_per_step() == Approx(720 / 8.0));
}

TEST_CASE("peak: positive, finite, and no more work than allowed") {
    const Machine machine(2);
    for (const double flops : {0.0, 1e8}) {
        const double peak = measure_peak(*machine.backend, machine.ops, DType::kF32, flops);
        CHECK(std::isfinite(peak));
        CHECK(peak > 1e6);
    }
    const Stopwatch watch;
    CHECK(measure_peak(*machine.backend, machine.ops, DType::kF32, 1e15) > 1e6);
    CHECK(watch.seconds() < 20);
    Machine slow(1);
    slow.ops.force("linear", "reference");
    CHECK(measure_peak(*slow.backend, slow.ops, DType::kF32, 0) > 0);
}

TEST_CASE("metrics: mfu is the model's arithmetic over the peak, and each line has it") {
    RunConfig config = tiny_config();
    config.train.steps = 5;
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    std::ifstream in(folder.path() / "run/metrics.jsonl");
    double ratio = 0;
    int lines = 0;
    for (std::string text; std::getline(in, text); ++lines) {
        const auto line = nlohmann::json::parse(text);
        CHECK(line["mfu"].get<double>() > 0);
        const double now = line["tokens_per_s"].get<double>() / line["mfu"].get<double>();
        if (lines > 0) CHECK(now == Approx(ratio));
        ratio = now;
        CHECK(line.contains("coefficients") == (line["step"] == 5));
    }
    CHECK(lines == 5);
}

TEST_CASE("metrics: coefficients are the weights of the checkpoint") {
    RunConfig config = tiny_config();
    config.train.steps = 7;
    config.train.eval_every = 3;
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const auto metrics = metrics_of(folder / "run");
    for (size_t i = 0; i < 7; ++i)
        CHECK(metrics[i].contains("coefficients") == (i == 2 || i == 5 || i == 6));
    const Checkpoint checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-7");
    const auto& last = metrics[6]["coefficients"];
    CHECK(last.size() == 2);
    for (const char* name :
         {"layers.0.feed_forward.coefficients", "layers.1.feed_forward.coefficients"}) {
        std::vector<float> values(4);
        checkpoint.read(name, {values.data(), {4}, DType::kF32, {}});
        CHECK(last.at(name).get<std::vector<float>>() == values);
    }
    // Before the first step a0 is 0 and the others are 1/3; learning moves them.
    CHECK(metrics[2]["coefficients"] != last);
}

TEST_CASE("metrics: a line that doesn't fit is lost, and only that") {
    const TempFolder folder;
    MetricsFile file(folder / "metrics.jsonl", 0);
    StepMetrics metrics;
    metrics.step = 1;
    file.append(metrics);
    {
        const FileLimit limit(std::filesystem::file_size(folder / "metrics.jsonl") + 10);
        metrics.step = 2;
        file.append(metrics);
    }
    metrics.step = 3;
    file.append(metrics);
    const auto lines = metrics_of(folder.path());
    REQUIRE(lines.size() == 2);
    CHECK(lines[0]["step"] == 1);
    CHECK(lines[1]["step"] == 3);
}
