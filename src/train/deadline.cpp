#include "train/deadline.hpp"

#include <algorithm>

namespace polytrain {

double Deadline::left() const {
    return std::max(0.0, limit_ - watch_.seconds());
}

void Deadline::step_took(double seconds) {
    steps_[next_++ % kRecent] = seconds;
}

bool Deadline::is_near(bool with_evaluation, int saves) const {
    const double step = *std::max_element(steps_.begin(), steps_.end());
    return exists() && left() <= step + (with_evaluation ? evaluation_ : 0) + saves * save_;
}

}  // namespace polytrain
