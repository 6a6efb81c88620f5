#include <cmath>
#include <numbers>

#include "optim/schedule.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("schedule: warm-up, then down to the final rate at the last step") {
    OptimizerConfig config;
    config.lr = 2;
    config.schedule.final_ratio = 0.25;
    const ScheduleLengths lengths{110, 10, 0};
    const auto rate = [&](int64_t step) { return learning_rate(config, lengths, step); };
    CHECK(rate(1) == Approx(0.2));
    CHECK(rate(10) == 2);
    CHECK(rate(35) == Approx(0.5 + 1.5 * (1 + std::sqrt(0.5)) / 2));  // pi / 4
    CHECK(rate(60) == Approx(1.25));                                  // half way down the cosine
    CHECK(rate(110) == Approx(0.5));
    CHECK(rate(200) == Approx(0.5));
    config.schedule.kind = "linear";
    CHECK(rate(35) == Approx(2 - 1.5 * 0.25));
    CHECK(rate(110) == Approx(0.5));
    config.schedule.kind = "constant";
    CHECK(rate(5) == Approx(1));
    CHECK(rate(100) == 2);
    config.schedule.warmup_ratio = 0.1;
    CHECK(rate(1) == Approx(0.2 + 1.8 * 0.1));
    CHECK(rate(5) == Approx(1.1));
    CHECK(rate(10) == Approx(2));
}

TEST_CASE("schedule: wsd stays at lr until its last part") {
    OptimizerConfig config;
    config.lr = 2;
    config.schedule.kind = "wsd";
    config.schedule.final_ratio = 0;
    const ScheduleLengths lengths{100, 10, 20};
    const auto rate = [&](int64_t step) { return learning_rate(config, lengths, step); };
    CHECK(rate(5) == Approx(1));
    for (int64_t step : {10, 11, 50, 80}) CHECK(rate(step) == 2);
    CHECK(rate(81) == Approx(1.9));
    CHECK(rate(90) == Approx(1));
    CHECK(rate(100) == 0);
    CHECK(rate(101) == 0);
}

TEST_CASE("schedule: without an end it stays at lr after the warm-up") {
    OptimizerConfig config;
    for (const char* kind : {"cosine", "linear", "constant"}) {
        config.schedule.kind = kind;
        CHECK(learning_rate(config, {0, 10, 0}, 5) == Approx(config.lr / 2));
        for (int64_t step : {int64_t{10}, int64_t{11}, int64_t{1} << 40})
            CHECK(learning_rate(config, {0, 10, 0}, step) == config.lr);
    }
}

TEST_CASE("schedule: up while warming up, then never up again, within its bounds") {
    Random random("schedule");
    for (const char* kind : {"cosine", "linear", "constant", "wsd"}) {
        for (int trial = 0; trial < 20; ++trial) {
            OptimizerConfig config;
            config.lr = random.uniform(1e-5, 1);
            config.schedule.kind = kind;
            config.schedule.final_ratio = random.uniform(0, 1);
            config.schedule.warmup_ratio = random.uniform(0, 1);
            ScheduleLengths lengths;
            lengths.total = random.integer(1, 300);
            lengths.warmup = random.integer(0, lengths.total - 1);
            lengths.decay = random.integer(1, lengths.total - lengths.warmup);
            INFO(kind << " " << lengths.total << " " << lengths.warmup << " " << lengths.decay);
            double before = config.lr * config.schedule.warmup_ratio, worst = 0;
            for (int64_t step = 1; step <= lengths.total + 5; ++step) {
                const double rate = learning_rate(config, lengths, step);
                worst = std::max(worst, step <= lengths.warmup ? before - rate : 0.0);
                worst = std::max(worst, step > lengths.warmup + 1 ? rate - before : 0.0);
                worst = std::max(worst, rate - config.lr);
                before = rate;
            }
            CHECK(worst < 1e-12);
            CHECK(before == Approx(kind == std::string("constant")
                                       ? config.lr
                                       : config.lr * config.schedule.final_ratio));
        }
    }
}

TEST_CASE("schedule: lengths in tokens are steps, rounded up, and its own length goes first") {
    ScheduleConfig schedule;
    schedule.warmup_steps = 7;
    ScheduleLengths lengths = schedule_lengths(schedule, 100, 50);
    CHECK((lengths.total == 50 && lengths.warmup == 7 && lengths.decay == 0));
    schedule.warmup_steps = 0;
    schedule.warmup_tokens = 701;
    schedule.decay_tokens = 700;
    schedule.tokens = 1;
    lengths = schedule_lengths(schedule, 100, 50);
    CHECK((lengths.total == 1 && lengths.warmup == 8 && lengths.decay == 7));
    schedule.tokens = 0;
    schedule.steps = 1000;
    schedule.decay_tokens = 0;
    schedule.decay_steps = 3;
    lengths = schedule_lengths(schedule, 100, 50);
    CHECK((lengths.total == 1000 && lengths.decay == 3));
}

TEST_CASE("schedule: OLMo's, whose end is far beyond the run's") {
    // t_warmup 8,388,608,000 tokens from 0.1 lr, t_max 5e12 tokens, 1,024 sequences of 4,096.
    OptimizerConfig config;
    config.lr = 4e-4;
    config.schedule.warmup_tokens = 8'388'608'000;
    config.schedule.warmup_ratio = 0.1;
    config.schedule.tokens = 5'000'000'000'000;
    const ScheduleLengths lengths = schedule_lengths(config.schedule, 1024 * 4096, 59'605);
    CHECK(lengths.warmup == 2000);
    CHECK(lengths.total == 1'192'093);
    CHECK(learning_rate(config, lengths, 1) == Approx(4e-4 * (0.1 + 0.9 / 2000)));
    CHECK(learning_rate(config, lengths, 2000) == Approx(4e-4));
    // 250 B tokens on: cos(pi * 57605 / 1190093), worked out by hand to 0.98846.
    CHECK(learning_rate(config, lengths, 59'605) ==
          Approx(4e-5 + 3.6e-4 * (1 + 0.988460) / 2).epsilon(1e-5));
}
