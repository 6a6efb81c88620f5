#include "train/progress.hpp"

#include <unistd.h>

#include <cstdio>

#include "core/clock.hpp"
#include "core/error.hpp"

namespace polytrain {

Progress::Progress(int64_t total_steps, int64_t log_every)
    : total_steps_(total_steps), log_every_(log_every), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (open_line_) std::fputc('\n', stderr);
}

std::string Progress::line(const StepMetrics& metrics, double seconds_left) const {
    std::string text = fmt::format("step {}", metrics.step);
    if (total_steps_ > 0) text += fmt::format("/{}", total_steps_);
    text += fmt::format("  loss {:.4f}  grad {:.3f}  lr {:.2e}  {:.0f} tokens/s", metrics.loss,
                        metrics.grad_norm, metrics.lr, metrics.tokens_per_s);
    if (seconds_left >= 0) text += "  left " + duration_text(seconds_left);
    if (const auto val_loss = metrics.val_loss()) text += fmt::format("  val {:.4f}", *val_loss);
    return text;
}

void Progress::show(const StepMetrics& metrics, double seconds_left) {
    const bool evaluated = !metrics.validation.empty();
    if (terminal_) {
        // Evaluations stay on the screen, the rest is written over.
        fmt::print(stderr, "\r{}\x1b[K{}", line(metrics, seconds_left), evaluated ? "\n" : "");
        std::fflush(stderr);
        open_line_ = !evaluated;
    } else if (evaluated || metrics.step == 1 || metrics.step % log_every_ == 0) {
        fmt::print(stderr, "{}\n", line(metrics, seconds_left));
    }
}

}  // namespace polytrain
