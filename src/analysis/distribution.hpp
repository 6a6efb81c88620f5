#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace polytrain {

// The shares of the values that are at most a quantile of Distribution.
inline constexpr std::array kQuantiles{0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};

// What many numbers are like: all of them but for the quantiles, which are of every n-th. Those
// that are not finite are counted, and no part of the rest, which is NaN where there is no other.
class Distribution {
  public:
    // Of about `expected` numbers, in rows of `width`: n is such that a million are kept, and has
    // no factor in common with the width, so that they come from all columns.
    Distribution(int64_t expected, int64_t width);

    void add(std::span<const float> values);

    int64_t count() const { return count_; }
    int64_t not_finite() const { return count_ - finite_; }
    double mean() const;
    double deviation() const;  // standard, of these numbers
    double least() const;
    double most() const;
    double zero_share() const;  // of exact zeros
    // Each the kept number at that share of their order.
    std::array<double, kQuantiles.size()> quantiles() const;

  private:
    int64_t step_, next_ = 0;  // of the kept: the place of the next
    int64_t count_ = 0, finite_ = 0, zeros_ = 0;
    double sum_ = 0, squares_ = 0, least_, most_;
    std::vector<float> kept_;
};

}  // namespace polytrain
