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
HWY_INLINE Pair load_pair(const Bf16* from) {
    const BitsTag tag;
    const auto both = hn::LoadU(tag, reinterpret_cast<const uint32_t*>(from));
    return {Lanes(hn::BitCast(LaneTag(), hn::ShiftLeft<16>(both))),
            Lanes(hn::BitCast(LaneTag(), hn::And(both, hn::Set(tag, 0xffff0000u))))};
}

// Each rounded(); NaN is rare enough for a branch of its own.
HWY_INLINE void round_pair(Pair x, hn::Vec<BitsTag>& a, hn::Vec<BitsTag>& b) {
    a = rounded_number(x.a);
    b = rounded_number(x.b);
    if (HWY_UNLIKELY(!hn::AllFalse(LaneTag(), hn::IsNaN((x.a + x.b).v)))) {
        a = rounded(x.a);
        b = rounded(x.b);
    }
}
HWY_INLINE hn::Vec<BitsTag> packed(Pair x) {
    hn::Vec<BitsTag> a, b;
    round_pair(x, a, b);
    return hn::OrAnd(hn::ShiftRight<16>(a), b, hn::Set(BitsTag(), 0xffff0000u));
}
// As it is read again when it has been stored as a T.
template <class T>
HWY_INLINE Pair rounded_to(Pair x) {
    if constexpr (sizeof(T) == sizeof(float)) return x;
    const auto upper = hn::Set(BitsTag(), 0xffff0000u);
    hn::Vec<BitsTag> a, b;
    round_pair(x, a, b);
    return {Lanes(hn::BitCast(LaneTag(), hn::And(a, upper))),
            Lanes(hn::BitCast(LaneTag(), hn::And(b, upper)))};
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
