#pragma once
// bfloat16 storage: the upper half of an f32. Arithmetic is done in f32.

#include <bit>
#include <cstddef>
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

// An f32 in two parts of 16 bits, with nothing lost: a bf16 near it, and how much its bits are
// above those of the bf16. `rounded` is the nearest bf16, of two as near the one away from 0: ties
// to even would have 65,537 values round to one bf16, more than a remainder can tell apart. A NaN
// is a NaN afterwards, of other bits perhaps.
struct SplitFloat {
    Bf16 rounded;
    int16_t remainder = 0;
};
inline SplitFloat split_float(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {Bf16(value), 0};
    SplitFloat parts;
    parts.rounded.bits = static_cast<uint16_t>((u + 0x8000u) >> 16);
    parts.remainder = static_cast<int16_t>(u & 0xffffu);
    return parts;
}
inline float join_float(Bf16 rounded, int16_t remainder) {
    return std::bit_cast<float>((uint32_t{rounded.bits} << 16) + static_cast<uint32_t>(remainder));
}
// The same of arrays of `count`, on their way from and to files.
inline void split_floats(const float* values, size_t count, Bf16* rounded, int16_t* remainders) {
    for (size_t i = 0; i < count; ++i) {
        const SplitFloat parts = split_float(values[i]);
        rounded[i] = parts.rounded;
        remainders[i] = parts.remainder;
    }
}
inline void join_floats(const Bf16* rounded, const int16_t* remainders, size_t count,
                        float* values) {
    for (size_t i = 0; i < count; ++i) values[i] = join_float(rounded[i], remainders[i]);
}

}  // namespace polytrain
