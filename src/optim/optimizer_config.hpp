#pragma once

#include <cstdint>
#include <string>

namespace polytrain {

// The learning rate over steps (optim/schedule.hpp has the formulas). Of each pair of a length in
// steps and in tokens at most one is set.
struct ScheduleConfig {
    std::string kind = "cosine";  // "cosine", "linear", "constant", "wsd"
    int64_t warmup_steps = 0;
    double final_ratio = 0.1;  // of lr, at the end
    int64_t warmup_tokens = 0;
    double warmup_ratio = 0;                    // of lr, where the warm-up begins
    int64_t decay_steps = 0, decay_tokens = 0;  // wsd: of its last, linear part
    int64_t steps = 0, tokens = 0;              // of the whole schedule; both 0: the run's
    bool operator==(const ScheduleConfig&) const = default;
};

struct OptimizerConfig {
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.95;
    double eps = 1e-8;
    double weight_decay = 0.1;  // of matrices, and by option of these; never of coefficients
    bool decay_embeddings = false;
    bool decay_gains = false;
    double clip = 1.0;  // of the global gradient norm; 0: none
    ScheduleConfig schedule;
    bool operator==(const OptimizerConfig&) const = default;
};

}  // namespace polytrain
