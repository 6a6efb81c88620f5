#pragma once

#include <cstddef>
#include <deque>

namespace polytrain {

// How fast a run is now: a mean over the last half minute, and over eight steps at least, so that
// one slow step does not make the estimates jump.
class RecentSpeed {
  public:
    explicit RecentSpeed(double now_s) : steps_{{now_s, 0}} {}

    // A step, with all that followed it, is done at `now_s`; the step alone went at this speed.
    void add(double now_s, double tokens_per_s) {
        steps_.push_back({now_s, 1 / tokens_per_s});
        while (steps_.size() > kLeastSteps + 1 && now_s - steps_.front().end_s > kSeconds)
            steps_.pop_front();
    }

    // Of the steps alone; 0 before the first.
    double tokens_per_s() const {
        double seconds = 0;
        for (size_t i = 1; i < steps_.size(); ++i) seconds += steps_[i].seconds_per_token;
        return seconds > 0 ? steps() / seconds : 0;
    }
    // With the evaluations and checkpoints between them; 0 before the first.
    double seconds_per_step() const {
        return steps() > 0 ? (steps_.back().end_s - steps_.front().end_s) / steps() : 0;
    }

  private:
    static constexpr double kSeconds = 30;
    static constexpr size_t kLeastSteps = 8;

    struct Step {
        double end_s, seconds_per_token;
    };
    double steps() const { return static_cast<double>(steps_.size() - 1); }

    std::deque<Step> steps_;  // the first is where the others begin
};

}  // namespace polytrain
