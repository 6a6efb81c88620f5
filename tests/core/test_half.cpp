#include "core/half.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("half: all 65,536 are the floats that they stand for") {
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const int exponent = static_cast<int>(bits >> 10 & 31),
                  fraction = static_cast<int>(bits & 1023);
        double size =
            exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        if (exponent == 31) size = std::numeric_limits<double>::infinity();
        const float value = half_to_float(static_cast<uint16_t>(bits));
        if (exponent == 31 && fraction > 0)
            wrong += !std::isnan(value);
        else
            wrong += std::abs(double{value}) != size || std::signbit(value) != (bits >= 0x8000);
    }
    CHECK(wrong == 0);
    CHECK(half_to_float(0x3c00) == 1.0f);
    CHECK(half_to_float(0xc500) == -5.0f);
}
