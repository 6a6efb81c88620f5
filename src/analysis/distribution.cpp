#include "analysis/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/checked.hpp"

namespace polytrain {
namespace {

constexpr int64_t kMostKept = int64_t{1} << 20;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Distribution::Distribution(int64_t expected, int64_t width)
    : step_(std::max<int64_t>(1, ceil_div(expected, kMostKept))),
      least_(std::numeric_limits<double>::infinity()),
      most_(-std::numeric_limits<double>::infinity()) {
    while (step_ > 1 && std::gcd(step_, width) > 1) ++step_;
}

void Distribution::add(std::span<const float> values) {
    for (const float narrow : values) {
        if (!std::isfinite(narrow)) continue;
        const double value = narrow;
        ++finite_;
        sum_ += value;
        squares_ += value * value;
        least_ = std::min(least_, value);
        most_ = std::max(most_, value);
        zeros_ += value == 0 ? 1 : 0;
    }
    const int64_t size = std::ssize(values);
    for (; next_ < count_ + size; next_ += step_)
        if (const float value = values[static_cast<size_t>(next_ - count_)]; std::isfinite(value))
            kept_.push_back(value);
    count_ += size;
}

double Distribution::mean() const {
    return sum_ / static_cast<double>(finite_);
}

double Distribution::deviation() const {
    const double square = squares_ / static_cast<double>(finite_) - mean() * mean();
    return finite_ == 0 ? kNone : std::sqrt(std::max(0.0, square));
}

double Distribution::least() const {
    return finite_ == 0 ? kNone : least_;
}

double Distribution::most() const {
    return finite_ == 0 ? kNone : most_;
}

double Distribution::zero_share() const {
    return static_cast<double>(zeros_) / static_cast<double>(finite_);
}

std::array<double, kQuantiles.size()> Distribution::quantiles() const {
    std::array<double, kQuantiles.size()> found{};
    found.fill(kNone);
    if (kept_.empty()) return found;
    std::vector<float> sorted = kept_;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < found.size(); ++i)
        found[i] = sorted[static_cast<size_t>(
            std::llround(kQuantiles[i] * static_cast<double>(sorted.size() - 1)))];
    return found;
}

}  // namespace polytrain
