#include "eval/stream_loss.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace polytrain {

StreamLoss::StreamLoss(int64_t context, int64_t sequences, LossSum loss_sum)
    : loss_sum_(std::move(loss_sum)), batch_(context * sequences) {
    PT_CHECK(context >= 1 && sequences >= 1, "{} sequences of {} tokens", sequences, context);
}

void StreamLoss::add(std::span<const int32_t> ids) {
    for (const int32_t id : ids) {
        if (tokens_++ > 0) {
            const auto place = static_cast<size_t>(filled_++);
            batch_.ids[place] = last_;
            batch_.targets[place] = id;
            if (filled_ == std::ssize(batch_.ids)) run();
        }
        last_ = id;
    }
}

void StreamLoss::finish() {
    if (filled_ > 0) run();
}

void StreamLoss::run() {
    // Attention is causal: what follows the last target changes nothing before it.
    std::fill(batch_.ids.begin() + filled_, batch_.ids.end(), 0);
    std::fill(batch_.targets.begin() + filled_, batch_.targets.end(), kNotScored);
    sum_ += loss_sum_(batch_);
    scored_ += filled_;
    filled_ = 0;
}

}  // namespace polytrain
