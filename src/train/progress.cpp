#include "train/progress.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace polytrain {

std::string progress_line(const StepMetrics& metrics, const ProgressFigures& figures) {
    std::string text = fmt::format("step {}", metrics.step);
    if (figures.total_steps > 0) text += fmt::format("/{}", figures.total_steps);
    text += fmt::format("  loss {:.4f}  grad {:.3f}  lr {:.2e}  {:.0f} tokens/s", metrics.loss,
                        metrics.grad_norm, metrics.lr, figures.tokens_per_s);
    if (figures.mfu > 0) text += fmt::format("  mfu {:.0f}%", 100 * figures.mfu);
    if (metrics.skipped) text += "  skipped";
    if (figures.seconds_left >= 0) text += "  left " + duration_text(figures.seconds_left);
    if (const auto val_loss = metrics.val_loss()) text += fmt::format("  val {:.4f}", *val_loss);
    for (const TaskResult& task : metrics.tasks)
        text += fmt::format("  {} {:.4f}", task.name, task.score());
    return text;
}

double Progress::seconds_left(int64_t step, double limit_left) const {
    if (total_steps_ == 0) return limit_left;
    const double left = speed_.seconds_per_step() * static_cast<double>(total_steps_ - step);
    return limit_left < 0 ? left : std::min(left, limit_left);
}

void Progress::show(const StepMetrics& metrics, double limit_left) {
    speed_.add(since_start_.seconds(), metrics.tokens_per_s);
    const bool evaluated = !metrics.validation.empty() || !metrics.tasks.empty();
    // On a terminal evaluations and skipped steps stay, the rest is written over.
    const bool stays = evaluated || metrics.skipped;
    if (!live_line_.terminal() && !stays && metrics.step != 1 && metrics.step % log_every_ != 0)
        return;
    const double tokens_per_s = speed_.tokens_per_s();
    const double mfu = metrics.mfu / metrics.tokens_per_s * tokens_per_s;
    live_line_.show(progress_line(metrics, {total_steps_, tokens_per_s, mfu,
                                            seconds_left(metrics.step, limit_left)}),
                    stays);
}

}  // namespace polytrain
