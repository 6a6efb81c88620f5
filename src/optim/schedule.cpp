#include "optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace polytrain {

double learning_rate(const OptimizerConfig& config, int64_t step, int64_t total) {
    const ScheduleConfig& schedule = config.schedule;
    if (step <= schedule.warmup_steps)
        return config.lr * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
    if (schedule.kind == "constant") return config.lr;
    const double decay_steps =
        static_cast<double>(std::max<int64_t>(1, total - schedule.warmup_steps));
    const double done =
        std::min(1.0, static_cast<double>(step - schedule.warmup_steps) / decay_steps);
    const double last = config.lr * schedule.final_ratio;
    if (schedule.kind == "linear") return config.lr + (last - config.lr) * done;
    PT_CHECK(schedule.kind == "cosine", "schedule kind {}", schedule.kind);
    return last + (config.lr - last) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace polytrain
