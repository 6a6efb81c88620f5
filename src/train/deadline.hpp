#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/clock.hpp"

namespace polytrain {

// train.seconds: tells when a launch must stop so that its last save is done in time. Counts from
// its construction; `seconds` 0: there is no limit.
class Deadline {
  public:
    explicit Deadline(double seconds) : limit_(seconds) {}

    bool exists() const { return limit_ > 0; }
    // Not below 0.
    double left() const;

    void step_took(double seconds);
    void evaluation_took(double seconds) { evaluation_ = std::max(evaluation_, seconds); }
    void save_took(double seconds) { save_ = seconds; }  // or, before the first, may take

    // Whether the time left may not hold one more step, as long as the longest of the recent ones,
    // with the longest evaluation so far where there is one to come, and `saves` saves.
    bool is_near(bool with_evaluation, int saves) const;

  private:
    static constexpr size_t kRecent = 16;
    double limit_;
    Stopwatch watch_;
    std::array<double, kRecent> steps_{};
    size_t next_ = 0;
    double evaluation_ = 0, save_ = 0;
};

}  // namespace polytrain
