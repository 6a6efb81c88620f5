#pragma once

#include "optim/optimizer_config.hpp"

namespace polytrain {

// A schedule's lengths in steps. `total` 0: it has no end, so that nothing goes down.
struct ScheduleLengths {
    int64_t total = 0, warmup = 0, decay = 0;
};

// `step_tokens` are the tokens of one step, by which lengths in tokens become steps, rounded up;
// `run_steps` is the run's own length, 0 where it isn't known.
ScheduleLengths schedule_lengths(const ScheduleConfig& schedule, int64_t step_tokens,
                                 int64_t run_steps);

// The learning rate of `step`, counted from 1. While warming up it is
//   lr (warmup_ratio + (1 - warmup_ratio) step / warmup),
// then, with `final` = lr * final_ratio and p the share done of the steps after the warm-up,
//   cosine: final + (lr - final) (1 + cos(pi p)) / 2,   linear: lr + (final - lr) p,
//   constant: lr,
//   wsd (warm up, stable, decay): lr, and over the last `decay` steps linear from lr to final.
// After `total` it stays as it was there.
double learning_rate(const OptimizerConfig& config, const ScheduleLengths& lengths, int64_t step);

}  // namespace polytrain
