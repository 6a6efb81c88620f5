#pragma once
// The byte-bigram model: what a language model must beat to have learnt more than which byte
// follows which.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace polytrain::testing {

// Counts the pairs of `train`, smooths the counts by adding k to each (the k of a few that is best
// on `validation`, in the baseline's favour) and returns the mean negative log-likelihood of the
// tokens of `validation` but the first, in nats. Tokens are bytes.
inline double bigram_loss(std::span<const int32_t> train, std::span<const int32_t> validation) {
    constexpr size_t kBytes = 256;
    std::vector<double> pairs(kBytes * kBytes), totals(kBytes);
    for (size_t i = 1; i < train.size(); ++i) {
        ++pairs[static_cast<size_t>(train[i - 1]) * kBytes + static_cast<size_t>(train[i])];
        ++totals[static_cast<size_t>(train[i - 1])];
    }
    double best = std::numeric_limits<double>::infinity();
    for (const double k : {1.0, 0.3, 0.1, 0.03, 0.01}) {
        double sum = 0;
        for (size_t i = 1; i < validation.size(); ++i) {
            const auto before = static_cast<size_t>(validation[i - 1]);
            const double count = pairs[before * kBytes + static_cast<size_t>(validation[i])];
            sum -= std::log((count + k) / (totals[before] + k * kBytes));
        }
        best = std::min(best, sum / static_cast<double>(validation.size() - 1));
    }
    return best;
}

}  // namespace polytrain::testing
