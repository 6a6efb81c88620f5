#include "train/spike_guard.hpp"

#include <cmath>

namespace polytrain {

void SpikeGuard::Window::add(double value) {
    if (z_ == 0) return;
    if (values_.size() == size_) values_.pop_front();
    values_.push_back(value);
}

bool SpikeGuard::Window::is_spike(double value) {
    bool spike = false;
    if (z_ > 0 && values_.size() == size_) {
        const auto count = static_cast<double>(size_);
        double sum = 0, squares = 0;
        for (const double x : values_) sum += x;
        const double mean = sum / count;
        for (const double x : values_) squares += (x - mean) * (x - mean);
        spike = value > mean + z_ * std::sqrt(squares / count);
    }
    add(value);
    return spike;
}

void SpikeGuard::restore(const TrainState& state) {
    for (const double value : state.loss_window) loss_.add(value);
    for (const double value : state.grad_norm_window) grad_norm_.add(value);
}

void SpikeGuard::store(TrainState& state) const {
    state.loss_window.assign(loss_.values().begin(), loss_.values().end());
    state.grad_norm_window.assign(grad_norm_.values().begin(), grad_norm_.values().end());
}

bool SpikeGuard::is_spike(double loss, double grad_norm) {
    const bool by_loss = loss_.is_spike(loss), by_grad_norm = grad_norm_.is_spike(grad_norm);
    return by_loss || by_grad_norm;
}

}  // namespace polytrain
