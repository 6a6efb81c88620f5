#pragma once

#include <string>

#include "train/metrics.hpp"

namespace polytrain {

// The run's progress on standard error: one live line on a terminal, else a plain line every
// `log_every` steps and for every evaluation.
class Progress {
  public:
    Progress(int64_t total_steps, int64_t log_every);  // total 0: not known
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `seconds_left`: negative when not known.
    void show(const StepMetrics& metrics, double seconds_left);

  private:
    std::string line(const StepMetrics& metrics, double seconds_left) const;

    int64_t total_steps_, log_every_;
    bool terminal_, open_line_ = false;
};

}  // namespace polytrain
