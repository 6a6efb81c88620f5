#pragma once
// IEEE 754 binary16, which other programs' files may hold; nothing computes in it.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace polytrain {

// Exact: every half is a float. A NaN is a NaN afterwards.
inline float half_to_float(uint16_t bits) {
    const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
    const uint32_t exponent = (bits >> 10) & 31u, fraction = bits & 0x3ffu;
    if (exponent == 0)  // zero and subnormals: fraction 2^-24
        return std::copysign(std::ldexp(static_cast<float>(fraction), -24),
                             std::bit_cast<float>(sign | 0x3f800000u));
    const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

inline void halves_to_floats(const uint16_t* halves, size_t count, float* values) {
    for (size_t i = 0; i < count; ++i) values[i] = half_to_float(halves[i]);
}

}  // namespace polytrain
