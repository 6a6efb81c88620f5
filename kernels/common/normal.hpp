#pragma once
// The normal numbers that parameters begin with.

#include <cmath>
#include <numbers>

#include "core/philox.hpp"

namespace polytrain {

// Element `index` of a standard normal sequence, by Box-Muller: words 0 and 1 of the block make the
// radius, 2 and 3 the angle. With cut > 0 truncated to [-cut, cut] by drawing again.
inline double normal(PhiloxKey key, int64_t index, double cut) {
    for (uint64_t draw = 0;; ++draw) {
        const auto words = philox(key, static_cast<uint64_t>(index) + (draw << 48));
        const double radius = std::sqrt(-2 * std::log1p(-uniform_from(words[0], words[1])));
        const double x = radius * std::cos(2 * std::numbers::pi * uniform_from(words[2], words[3]));
        if (cut <= 0 || std::fabs(x) <= cut) return x;
    }
}

}  // namespace polytrain
