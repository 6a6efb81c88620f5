#pragma once

#include "optim/optimizer_config.hpp"

namespace polytrain {

// The learning rate of `step`, counted from 1, of `total` steps: lr * step / warmup while warming
// up, then from lr to final_ratio * lr, which is reached at `total` and kept after it:
//   cosine: final + (lr - final) (1 + cos(pi p)) / 2,  linear: lr + (final - lr) p,  constant: lr,
// with p the share done of the steps after the warm-up.
double learning_rate(const OptimizerConfig& config, int64_t step, int64_t total);

}  // namespace polytrain
