#pragma once

#include <string>

#include "core/live_line.hpp"
#include "train/metrics.hpp"

namespace polytrain {

// The run's progress on standard error: one live line on a terminal, else a plain line every
// `log_every` steps, for every evaluation and for every skipped step.
class Progress {
  public:
    Progress(int64_t total_steps, int64_t log_every)  // total 0: not known
        : total_steps_(total_steps), log_every_(log_every) {}

    // `seconds_left`: negative when not known.
    void show(const StepMetrics& metrics, double seconds_left);

  private:
    std::string line(const StepMetrics& metrics, double seconds_left) const;

    int64_t total_steps_, log_every_;
    LiveLine live_line_;
};

}  // namespace polytrain
