// Lanes: a vector of f32 as a value, so that activations and row kernels read like arithmetic. It
// is read from f32 or bf16 and rounded once when it is written.
// Included once per instruction set, after hwy/foreach_target.h; the guard follows Highway's rule.

#if defined(POLYTRAIN_KERNELS_CPU_LANES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_LANES_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_LANES_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_LANES_INL_HPP
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/bf16.hpp"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using LaneTag = hn::ScalableTag<float>;
using BitsTag = hn::Rebind<uint32_t, LaneTag>;
using HalfTag = hn::Rebind<uint16_t, LaneTag>;

struct Lanes {
    hn::Vec<LaneTag> v;

    Lanes() = default;
    HWY_INLINE explicit Lanes(hn::Vec<LaneTag> raw) : v(raw) {}
    HWY_INLINE explicit Lanes(float value) : v(hn::Set(LaneTag(), value)) {}
    HWY_INLINE explicit Lanes(double value) : Lanes(static_cast<float>(value)) {}
};

HWY_INLINE Lanes operator+(Lanes a, Lanes b) {
    return Lanes(hn::Add(a.v, b.v));
}
HWY_INLINE Lanes operator-(Lanes a, Lanes b) {
    return Lanes(hn::Sub(a.v, b.v));
}
HWY_INLINE Lanes operator*(Lanes a, Lanes b) {
    return Lanes(hn::Mul(a.v, b.v));
}
HWY_INLINE Lanes operator/(Lanes a, Lanes b) {
    return Lanes(hn::Div(a.v, b.v));
}
// a b + c, fused where the processor can.
HWY_INLINE Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
    return Lanes(hn::MulAdd(a.v, b.v, c.v));
}
HWY_INLINE Lanes multiply_subtract(Lanes a, Lanes b, Lanes c) {
    return Lanes(hn::MulSub(a.v, b.v, c.v));
}
// c - a b, as above.
HWY_INLINE Lanes subtract_product(Lanes c, Lanes a, Lanes b) {
    return Lanes(hn::NegMulAdd(a.v, b.v, c.v));
}

HWY_INLINE Lanes max_of(Lanes a, Lanes b) {
    return Lanes(hn::Max(a.v, b.v));
}
HWY_INLINE Lanes min_of(Lanes a, Lanes b) {
    return Lanes(hn::Min(a.v, b.v));
}
HWY_INLINE Lanes if_positive(Lanes x, Lanes a, Lanes b) {
    return Lanes(hn::IfThenElse(hn::Gt(x.v, hn::Zero(LaneTag())), a.v, b.v));
}
HWY_INLINE Lanes sqrt_of(Lanes x) {
    return Lanes(hn::Sqrt(x.v));
}
// Clamped to where the result is a finite normal number, at most 1.65e38; NaN stays NaN.
HWY_INLINE Lanes exp_of(Lanes x) {
    const Lanes most(88.0f);
    const auto y = hn::Exp(LaneTag(), hn::IfThenElse(hn::Gt(x.v, most.v), most.v, x.v));
    return Lanes(hn::IfThenElse(hn::IsNaN(x.v), x.v, y));  // Highway's is 0 there
}

// 2^x to 8e-8 of itself: 0 below -125, 2^127 above 127, NaN stays NaN. x = n + f, |f| <= 1/2; 2^f
// is a polynomial of least relative error that is 1 at 0, 2^n is made of bits.
HWY_INLINE Lanes exp2_of(Lanes x) {
    constexpr float kP[] = {1.0f,          0.693147242f,   0.240226522f,   0.0555031039f,
                            0.0096176928f, 0.00134066434f, 0.000155946778f};
    // Adding this rounds to a whole number and leaves n + 127, an exponent, in the lowest bits.
    constexpr float kRound = 12582912.0f + 127.0f;
    const LaneTag tag;
    const auto most = hn::Set(tag, 127.0f), least = hn::Set(tag, -125.0f);
    const Lanes t(hn::IfThenElse(hn::Gt(x.v, most), most, x.v));
    const Lanes rounded = t + Lanes(kRound);
    const Lanes f = t - (rounded - Lanes(kRound));
    Lanes p(kP[6]);
    for (int i = 5; i >= 0; --i) p = multiply_add(p, f, Lanes(kP[i]));
    const auto power = hn::BitCast(tag, hn::ShiftLeft<23>(hn::BitCast(BitsTag(), rounded.v)));
    return Lanes(hn::IfThenZeroElse(hn::Lt(t.v, least), hn::Mul(p.v, power)));
}

// erfc(z) = exp(-z^2) t Q(t), t = 1 / (z + 2), for z >= 0, and erfc(-z) = 2 - erfc(z). Q was fitted
// by least squares at Chebyshev nodes over z in [0, 10]: relative error 2.2e-8.
HWY_INLINE Lanes erfc_of(Lanes z) {
    constexpr float kQ[] = {0.564125765f, 1.13157606f,  1.90630584f, 3.63912832f,  -3.34491133f,
                            27.7857201f,  -87.9418616f, 113.35965f,  -66.3623921f, 13.8594806f};
    const Lanes size = min_of(Lanes(hn::Abs(z.v)), Lanes(10.0f));
    const Lanes t = Lanes(1.0f) / (size + Lanes(2.0f));
    Lanes q(kQ[9]);
    for (int i = 8; i >= 0; --i) q = multiply_add(q, t, Lanes(kQ[i]));
    const Lanes upper = exp_of(Lanes(0.0f) - size * size) * t * q;
    return if_positive(Lanes(0.0f) - z, Lanes(2.0f) - upper, upper);
}

HWY_INLINE Lanes zero_lanes() {
    return Lanes(hn::Zero(LaneTag()));
}
HWY_INLINE int64_t lane_count() {
    return static_cast<int64_t>(hn::Lanes(LaneTag()));
}
HWY_INLINE Lanes load(const float* from) {
    return Lanes(hn::LoadU(LaneTag(), from));
}
HWY_INLINE void store(Lanes x, float* to) {
    hn::StoreU(x.v, LaneTag(), to);
}

HWY_INLINE Lanes load(const Bf16* from) {
    const auto half = hn::LoadU(HalfTag(), reinterpret_cast<const uint16_t*>(from));
    return Lanes(hn::BitCast(LaneTag(), hn::ShiftLeft<16>(hn::PromoteTo(BitsTag(), half))));
}
// The upper half of each lane's bits.
HWY_INLINE void store_upper(hn::Vec<BitsTag> bits, Bf16* to) {
    const auto half = hn::BitCast(hn::RebindToSigned<BitsTag>(), hn::ShiftRight<16>(bits));
    hn::StoreU(hn::DemoteTo(HalfTag(), half), HalfTag(), reinterpret_cast<uint16_t*>(to));
}
// As bf16 in the upper half of each lane, rounded as Bf16(float): to nearest, ties to even, NaN
// stays NaN. The lower half is anything.
HWY_INLINE hn::Vec<BitsTag> rounded(Lanes x) {
    const BitsTag tag;
    const auto bits = hn::BitCast(tag, x.v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(tag, 1u));
    const auto number = hn::Add(hn::Add(bits, hn::Set(tag, 0x7fffu)), odd);
    const auto quiet = hn::Or(bits, hn::Set(tag, 0x400000u));
    return hn::IfThenElse(hn::RebindMask(tag, hn::IsNaN(x.v)), quiet, number);
}
HWY_INLINE void store(Lanes x, Bf16* to) {
    store_upper(rounded(x), to);
}

HWY_INLINE float sum_of(Lanes x) {
    return hn::GetLane(hn::SumOfLanes(LaneTag(), x.v));
}
HWY_INLINE float max_across(Lanes x) {
    return hn::GetLane(hn::MaxOfLanes(LaneTag(), x.v));
}

// The end of a row: `count` lanes < lane_count(), the others read as 0 and are not written. By way
// of a buffer: Highway's masked accesses may touch what lies behind on older processors.
template <class T>
HWY_INLINE Lanes load_part(const T* from, int64_t count) {
    T buffer[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(buffer, from, static_cast<size_t>(count) * sizeof(T));
    return load(buffer);
}
template <class T>
HWY_INLINE void store_part(Lanes x, T* to, int64_t count) {
    T buffer[HWY_MAX_BYTES / sizeof(float)];
    store(x, buffer);
    std::memcpy(to, buffer, static_cast<size_t>(count) * sizeof(T));
}

// A run of elements as whole vectors and one partial one: f(Whole{}, i) or f(Part{count}, i), where
// the access reads and writes lanes at an address.
struct Whole {
    template <class T>
    static HWY_INLINE Lanes read(const T* from) {
        return load(from);
    }
    template <class T>
    static HWY_INLINE void write(Lanes x, T* to) {
        store(x, to);
    }
    static HWY_INLINE void write_upper(hn::Vec<BitsTag> bits, Bf16* to) { store_upper(bits, to); }
};
struct Part {
    int64_t count;
    template <class T>
    HWY_INLINE Lanes read(const T* from) const {
        return load_part(from, count);
    }
    template <class T>
    HWY_INLINE void write(Lanes x, T* to) const {
        store_part(x, to, count);
    }
    HWY_INLINE void write_upper(hn::Vec<BitsTag> bits, Bf16* to) const {
        Bf16 buffer[HWY_MAX_BYTES / sizeof(float)];
        store_upper(bits, buffer);
        std::memcpy(to, buffer, static_cast<size_t>(count) * sizeof(Bf16));
    }
};
template <class F>
HWY_INLINE void for_lanes(int64_t elements, F&& f) {
    const int64_t lanes = lane_count();
    int64_t i = 0;
    for (; i + lanes <= elements; i += lanes) f(Whole{}, i);
    if (i < elements) f(Part{elements - i}, i);
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
