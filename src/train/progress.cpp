#include "train/progress.hpp"

#include "core/clock.hpp"
#include "core/error.hpp"

namespace polytrain {

std::string Progress::line(const StepMetrics& metrics, double seconds_left) const {
    std::string text = fmt::format("step {}", metrics.step);
    if (total_steps_ > 0) text += fmt::format("/{}", total_steps_);
    text += fmt::format("  loss {:.4f}  grad {:.3f}  lr {:.2e}  {:.0f} tokens/s", metrics.loss,
                        metrics.grad_norm, metrics.lr, metrics.tokens_per_s);
    if (metrics.skipped) text += "  skipped";
    if (seconds_left >= 0) text += "  left " + duration_text(seconds_left);
    if (const auto val_loss = metrics.val_loss()) text += fmt::format("  val {:.4f}", *val_loss);
    return text;
}

void Progress::show(const StepMetrics& metrics, double seconds_left) {
    const bool evaluated = !metrics.validation.empty();
    // On a terminal evaluations and skipped steps stay, the rest is written over.
    const bool stays = evaluated || metrics.skipped;
    if (live_line_.terminal() || stays || metrics.step == 1 || metrics.step % log_every_ == 0)
        live_line_.show(line(metrics, seconds_left), stays);
}

}  // namespace polytrain
