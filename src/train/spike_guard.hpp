#pragma once

#include <cstdint>
#include <deque>

#include "checkpoint/manifest.hpp"
#include "config/run_config.hpp"

namespace polytrain {

// train.spike_guard: finds steps whose loss or gradient norm lies more than z standard deviations
// above the mean of those of the last `window` steps. Nothing is a spike until the window is full.
// Every value enters it, so that a lasting shift is a spike for a while only.
class SpikeGuard {
  public:
    explicit SpikeGuard(const SpikeGuardConfig& config)
        : loss_(config.loss_z, config.window), grad_norm_(config.grad_z, config.window) {}

    // Goes on with what a checkpoint has; of a longer window, with its newest values.
    void restore(const TrainState& state);
    void store(TrainState& state) const;

    // Whether the next step is a spike; its values are in the windows afterwards.
    bool is_spike(double loss, double grad_norm);

  private:
    class Window {
      public:
        Window(double z, int64_t size) : z_(z), size_(static_cast<size_t>(size)) {}
        bool is_spike(double value);
        void add(double value);
        const std::deque<double>& values() const { return values_; }

      private:
        double z_;  // 0: off, and then nothing is kept
        size_t size_;
        std::deque<double> values_;  // oldest first
    };
    Window loss_, grad_norm_;
};

}  // namespace polytrain
