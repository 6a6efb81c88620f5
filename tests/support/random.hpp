#pragma once
// Fresh random inputs: keyed by Catch2's seed (CTest passes --rng-seed time; a failure prints it).

#include <string_view>
#include <vector>

#include "core/philox.hpp"
#include "support/catch.hpp"

namespace polytrain::testing {

inline uint64_t test_seed() {
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::getSeed();
#else
    return Catch::rngSeed();
#endif
}

class Random {
  public:
    explicit Random(std::string_view purpose) : key_(philox_key(test_seed(), purpose)) {}

    double uniform(double low, double high) {
        const auto words = philox(key_, next_++);
        return low + (high - low) * uniform_from(words[0], words[1]);
    }
    int64_t integer(int64_t low, int64_t high) {  // both included
        return low + static_cast<int64_t>(uniform_below(philox(key_, next_++),
                                                        static_cast<uint64_t>(high - low + 1)));
    }
    std::vector<double> vector(int64_t size, double low = -1, double high = 1) {
        std::vector<double> values(static_cast<size_t>(size));
        for (double& value : values) value = uniform(low, high);
        return values;
    }
    // Of either sign, magnitudes in [least, most]: normalising a row of one tiny number magnifies
    // rounding without end.
    std::vector<double> apart_from_zero(int64_t size, double least, double most) {
        std::vector<double> values = vector(size, least - most, most - least);
        for (double& value : values) value += value < 0 ? -least : least;
        return values;
    }

  private:
    PhiloxKey key_;
    uint64_t next_ = 0;
};

}  // namespace polytrain::testing
