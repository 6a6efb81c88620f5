#include "analysis/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/checked.hpp"
#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr int64_t kMostKept = int64_t{1} << 20;

}  // namespace

Distribution::Distribution(int64_t expected, int64_t width)
    : step_(std::max<int64_t>(1, ceil_div(expected, kMostKept))),
      least_(std::numeric_limits<double>::infinity()),
      most_(-std::numeric_limits<double>::infinity()) {
    while (step_ > 1 && std::gcd(step_, width) > 1) ++step_;
}

void Distribution::add(std::span<const float> values) {
    for (const float narrow : values) {
        const double value = narrow;
        sum_ += value;
        squares_ += value * value;
        least_ = std::min(least_, value);
        most_ = std::max(most_, value);
        zeros_ += value == 0 ? 1 : 0;
    }
    const int64_t size = std::ssize(values);
    for (; next_ < count_ + size; next_ += step_)
        kept_.push_back(values[static_cast<size_t>(next_ - count_)]);
    count_ += size;
}

double Distribution::mean() const {
    return sum_ / static_cast<double>(count_);
}

double Distribution::deviation() const {
    return std::sqrt(std::max(0.0, squares_ / static_cast<double>(count_) - mean() * mean()));
}

double Distribution::zero_share() const {
    return static_cast<double>(zeros_) / static_cast<double>(count_);
}

std::array<double, kQuantiles.size()> Distribution::quantiles() const {
    PT_CHECK(!kept_.empty(), "quantiles of nothing");
    std::vector<float> sorted = kept_;
    std::sort(sorted.begin(), sorted.end());
    std::array<double, kQuantiles.size()> found{};
    for (size_t i = 0; i < found.size(); ++i)
        found[i] = sorted[static_cast<size_t>(
            std::llround(kQuantiles[i] * static_cast<double>(sorted.size() - 1)))];
    return found;
}

}  // namespace polytrain
