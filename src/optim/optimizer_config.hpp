#pragma once

#include <cstdint>
#include <string>

namespace polytrain {

// Learning rate over steps: linear warm-up from 0 to lr, then `kind` down to final_ratio * lr at
// the last step.
struct ScheduleConfig {
    std::string kind = "cosine";  // "cosine", "linear", "constant"
    int64_t warmup_steps = 0;
    double final_ratio = 0.1;
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
