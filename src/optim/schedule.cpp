#include "optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/checked.hpp"
#include "core/error.hpp"

namespace polytrain {
namespace {

// How much of the `length` steps that begin after `begin` is done: 0 to 1.
double share_done(int64_t step, int64_t begin, int64_t length) {
    const double done =
        static_cast<double>(step - begin) / static_cast<double>(std::max<int64_t>(1, length));
    return std::clamp(done, 0.0, 1.0);
}

}  // namespace

ScheduleLengths schedule_lengths(const ScheduleConfig& schedule, int64_t step_tokens,
                                 int64_t run_steps) {
    const auto in_steps = [&](int64_t steps, int64_t tokens) {
        return tokens > 0 ? ceil_div(tokens, step_tokens) : steps;
    };
    const int64_t own = in_steps(schedule.steps, schedule.tokens);
    return {own > 0 ? own : run_steps, in_steps(schedule.warmup_steps, schedule.warmup_tokens),
            in_steps(schedule.decay_steps, schedule.decay_tokens)};
}

double learning_rate(const OptimizerConfig& config, const ScheduleLengths& lengths, int64_t step) {
    const ScheduleConfig& schedule = config.schedule;
    const auto [total, warmup, decay] = lengths;
    if (step <= warmup)
        return config.lr *
               (schedule.warmup_ratio + (1 - schedule.warmup_ratio) * share_done(step, 0, warmup));
    if (schedule.kind == "constant" || total == 0) return config.lr;
    const double last = config.lr * schedule.final_ratio;
    if (schedule.kind == "wsd")
        return config.lr + (last - config.lr) * share_done(step, total - decay, decay);
    const double done = share_done(step, warmup, total - warmup);
    if (schedule.kind == "linear") return config.lr + (last - config.lr) * done;
    PT_CHECK(schedule.kind == "cosine", "schedule kind {}", schedule.kind);
    return last + (config.lr - last) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace polytrain
