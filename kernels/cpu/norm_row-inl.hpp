// One row of RMSNorm on vector lanes, for rms_norm and qk_norm. Included once per instruction set,
// as lanes-inl.hpp.

#if defined(POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#endif

#include <cmath>

#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// y = x rstd gain; returns rstd = 1 / sqrt(mean(x^2) + eps). y may be x.
template <class T>
HWY_INLINE float norm_row_forward(const T* x, const float* gain, int64_t width, double eps, T* y) {
    Lanes squares = zero_lanes();
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        const Lanes value = lanes.read(x + c);
        squares = multiply_add(value, value, squares);
    });
    const auto rstd = static_cast<float>(
        1 / std::sqrt(static_cast<double>(sum_of(squares)) / static_cast<double>(width) + eps));
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        lanes.write(lanes.read(x + c) * Lanes(rstd) * lanes.read(gain + c), y + c);
    });
    return rstd;
}

// dx = rstd (dy gain - x rstd^2 mean(dy gain x)); dgain += dy x rstd. dx may be dy.
template <class T>
HWY_INLINE void norm_row_backward(const T* x, const T* dy, const float* gain, float rstd,
                                  int64_t width, T* dx, float* dgain) {
    Lanes dot = zero_lanes();
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        const Lanes g = lanes.read(dy + c), value = lanes.read(x + c);
        dot = multiply_add(g * lanes.read(gain + c), value, dot);
        lanes.write(multiply_add(g * value, Lanes(rstd), lanes.read(dgain + c)), dgain + c);
    });
    const float through_norm = rstd * rstd * sum_of(dot) / static_cast<float>(width);
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        const Lanes h = lanes.read(dy + c) * lanes.read(gain + c);
        lanes.write(Lanes(rstd) * (h - lanes.read(x + c) * Lanes(through_norm)), dx + c);
    });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
