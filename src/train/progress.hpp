#pragma once

#include <string>

#include "core/clock.hpp"
#include "core/live_line.hpp"
#include "train/metrics.hpp"
#include "train/recent_speed.hpp"

namespace polytrain {

// What is shown of a step.
struct ProgressFigures {
    int64_t total_steps = 0;   // 0: not known
    double tokens_per_s = 0;   // of late
    double mfu = 0;            // of late; 0: not known
    double seconds_left = -1;  // negative: not known
};

// "step 5/20  loss 3.1416  grad 0.812  lr 1.00e-03  9876 tokens/s  mfu 41%  left 45s  val 3.2000"
std::string progress_line(const StepMetrics& metrics, const ProgressFigures& figures);

// The run's progress on standard error: one live line on a terminal, else a plain line every
// `log_every` steps, for every evaluation and for every skipped step.
class Progress {
  public:
    Progress(int64_t total_steps, int64_t log_every)  // total 0: not known
        : total_steps_(total_steps), log_every_(log_every), speed_(since_start_.seconds()) {}

    // To be called at the end of every step; `limit_left`: the seconds that the launch may still
    // take, negative where there is no limit.
    void show(const StepMetrics& metrics, double limit_left);

  private:
    double seconds_left(int64_t step, double limit_left) const;

    int64_t total_steps_, log_every_;
    Stopwatch since_start_;
    RecentSpeed speed_;
    LiveLine live_line_;
};

}  // namespace polytrain
