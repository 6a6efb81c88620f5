#pragma once
// bfloat16 storage: the upper half of an f32. Arithmetic is done in f32.

#include <bit>
#include <cstdint>

namespace polytrain {

struct Bf16 {
    uint16_t bits = 0;

    Bf16() = default;
    // Rounds to nearest, ties to even; NaN stays NaN (quiet).
    explicit Bf16(float value) {
        const uint32_t u = std::bit_cast<uint32_t>(value);
        const bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
        bits = static_cast<uint16_t>(is_nan ? (u >> 16) | 0x40u
                                            : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
    explicit Bf16(double value) : Bf16(static_cast<float>(value)) {}
    explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
    explicit operator double() const { return static_cast<float>(*this); }
};
static_assert(sizeof(Bf16) == 2);

}  // namespace polytrain
