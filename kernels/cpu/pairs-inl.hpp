// Pair: two vectors of f32 as one value, for loops over rows. Sums over a row have two chains, and
// bf16 costs little: 32-bit lanes hold two of them, the even one is a shift away, the odd one a
// mask. So of a row of bf16 the first vector has the even elements and the second the odd ones;
// vectors of f32 that go with such rows are put in that order once (PairedColumns).
// Included once per instruction set, as lanes-inl.hpp.

#if defined(POLYTRAIN_KERNELS_CPU_PAIRS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_PAIRS_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_PAIRS_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_PAIRS_INL_HPP
#endif

#include <cmath>
#include <limits>

#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

struct Pair {
    Lanes a, b;

    Pair() = default;
    HWY_INLINE Pair(Lanes first, Lanes second) : a(first), b(second) {}
    HWY_INLINE explicit Pair(float value) : a(value), b(a) {}
    HWY_INLINE explicit Pair(double value) : a(value), b(a) {}
};

HWY_INLINE Pair operator+(Pair x, Pair y) {
    return {x.a + y.a, x.b + y.b};
}
HWY_INLINE Pair operator-(Pair x, Pair y) {
    return {x.a - y.a, x.b - y.b};
}
HWY_INLINE Pair operator*(Pair x, Pair y) {
    return {x.a * y.a, x.b * y.b};
}
HWY_INLINE Pair operator/(Pair x, Pair y) {
    return {x.a / y.a, x.b / y.b};
}
HWY_INLINE Pair multiply_add(Pair x, Pair y, Pair z) {
    return {multiply_add(x.a, y.a, z.a), multiply_add(x.b, y.b, z.b)};
}
HWY_INLINE Pair subtract_product(Pair z, Pair x, Pair y) {
    return {subtract_product(z.a, x.a, y.a), subtract_product(z.b, x.b, y.b)};
}
HWY_INLINE Pair max_of(Pair x, Pair y) {
    return {max_of(x.a, y.a), max_of(x.b, y.b)};
}
HWY_INLINE Pair if_positive(Pair x, Pair y, Pair z) {
    return {if_positive(x.a, y.a, z.a), if_positive(x.b, y.b, z.b)};
}
HWY_INLINE Pair exp_of(Pair x) {
    return {exp_of(x.a), exp_of(x.b)};
}
HWY_INLINE Pair erfc_of(Pair x) {
    return {erfc_of(x.a), erfc_of(x.b)};
}
HWY_INLINE float sum_of(Pair x) {
    return sum_of(x.a + x.b);
}

HWY_INLINE int64_t pair_count() {
    return 2 * lane_count();
}
HWY_INLINE Pair load_pair(const float* from) {
    return {load(from), load(from + lane_count())};
}
HWY_INLINE Pair unpacked(hn::Vec<BitsTag> both) {
    return {Lanes(hn::BitCast(LaneTag(), hn::ShiftLeft<16>(both))),
            Lanes(hn::BitCast(LaneTag(), hn::And(both, hn::Set(BitsTag(), 0xffff0000u))))};
}
HWY_INLINE Pair load_pair(const Bf16* from) {
    return unpacked(hn::LoadU(BitsTag(), reinterpret_cast<const uint32_t*>(from)));
}

HWY_INLINE float plain_nan(float x) {
    return std::isnan(x) ? std::numeric_limits<float>::quiet_NaN() : x;
}
// As a row of bf16 has them, each rounded to the nearest, ties to even: of the lower halves L and
// the odd bits o of the upper ones (L + 0x7fff + o) >> 16 is added to the upper ones, in lanes of
// 16 bits. NaN stays NaN where its lower half is 0, as of those that come from bf16 or from
// arithmetic; of others see without_payload().
HWY_INLINE hn::Vec<BitsTag> packed(Pair x) {
    const BitsTag tag;
    const auto is_upper = hn::Set(tag, 0xffff0000u);
#if HWY_TARGET == HWY_SCALAR  // has no lanes of 16 bits
    return hn::OrAnd(hn::ShiftRight<16>(rounded(x.a)), rounded(x.b), is_upper);
#else
    const hn::Repartition<uint16_t, BitsTag> halves;
    const auto a = hn::BitCast(tag, x.a.v), b = hn::BitCast(tag, x.b.v);
    const auto upper = hn::BitCast(halves, hn::OrAnd(hn::ShiftRight<16>(a), b, is_upper));
    const auto lower = hn::BitCast(halves, hn::Or(hn::ShiftLeft<16>(b), hn::AndNot(is_upper, a)));
    // Half of the sum, rounded up as AverageRound does: 0x7ffe + o is an or.
    const auto odd = hn::OrAnd(hn::Set(halves, 0x7ffe), upper, hn::Set(halves, 1));
    const auto half = hn::AverageRound(lower, odd);
    return hn::BitCast(tag, hn::Add(upper, hn::ShiftRight<15>(half)));
#endif
}
// As it is read again when it has been stored as a T.
template <class T>
HWY_INLINE Pair rounded_to(Pair x) {
    if constexpr (sizeof(T) == sizeof(float)) return x;
    return unpacked(packed(x));
}
HWY_INLINE void store_pair(Pair x, float* to) {
    store(x.a, to);
    store(x.b, to + lane_count());
}
HWY_INLINE void store_pair(Pair x, Bf16* to) {
    hn::StoreU(packed(x), BitsTag(), reinterpret_cast<uint32_t*>(to));
}
// Past the caches; `to` is a multiple of the vector's size.
HWY_INLINE void stream_pair(Pair x, float* to) {
    hn::Stream(x.a.v, LaneTag(), to);
    hn::Stream(x.b.v, LaneTag(), to + lane_count());
}
HWY_INLINE void stream_pair(Pair x, Bf16* to) {
    hn::Stream(packed(x), BitsTag(), reinterpret_cast<uint32_t*>(to));
}

// A row as whole pairs and one partial one: f(WholePair{}, i) or f(PartPair{count}, i), as
// for_lanes has it.
struct WholePair {
    static constexpr bool kIsWhole = true;
    template <class T>
    static HWY_INLINE Pair read(const T* from) {
        return load_pair(from);
    }
    template <class T>
    static HWY_INLINE void write(Pair x, T* to) {
        store_pair(x, to);
    }
};
struct PartPair {
    static constexpr bool kIsWhole = false;
    int64_t count;
    template <class T>
    HWY_INLINE Pair read(const T* from) const {
        T buffer[2 * HWY_MAX_BYTES / sizeof(float)] = {};
        std::memcpy(buffer, from, static_cast<size_t>(count) * sizeof(T));
        return load_pair(buffer);
    }
    template <class T>
    HWY_INLINE void write(Pair x, T* to) const {
        T buffer[2 * HWY_MAX_BYTES / sizeof(float)];
        store_pair(x, buffer);
        std::memcpy(to, buffer, static_cast<size_t>(count) * sizeof(T));
    }
};
// Returns where the whole ones end.
template <class... F>
HWY_INLINE int64_t for_whole_pairs(int64_t elements, F&&... f) {
    const int64_t step = pair_count();
    int64_t i = 0;
    for (; i + step <= elements; i += step) (f(WholePair{}, i), ...);
    return i;
}
template <class F>
HWY_INLINE void for_pairs(int64_t elements, F&& f) {
    const int64_t i = for_whole_pairs(elements, f);
    if (i < elements) f(PartPair{elements - i}, i);
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
