// AdamW on vector lanes: one pass over weight, gradient and both moments.

#include "ops/adamw.hpp"

#include <cmath>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

// Where the weights are: f32, or in two parts as split_float() makes them.
struct WholeWeights {
    float* weight;

    template <class Access>
    HWY_INLINE Lanes read(Access lanes, int64_t i) const {
        return lanes.read(weight + i);
    }
    template <class Access>
    HWY_INLINE void write(Access lanes, Lanes w, int64_t i) const {
        lanes.write(w, weight + i);
    }
};
struct SplitWeights {
    Bf16* rounded;
    int16_t* remainder;

    template <class Access>
    HWY_INLINE Lanes read(Access lanes, int64_t i) const {
        const BitsTag tag;
        // The remainder as the low half of lanes, its sign through the upper one.
        const auto high = hn::BitCast(tag, lanes.read(rounded + i).v);
        const auto low = hn::BitCast(tag, lanes.read(reinterpret_cast<Bf16*>(remainder) + i).v);
        const auto spread = hn::ShiftRight<16>(hn::BitCast(hn::RebindToSigned<BitsTag>(), low));
        return Lanes(hn::BitCast(LaneTag(), hn::Add(high, hn::BitCast(tag, spread))));
    }
    template <class Access>
    HWY_INLINE void write(Access lanes, Lanes w, int64_t i) const {
        const BitsTag tag;
        const auto is_nan = hn::RebindMask(tag, hn::IsNaN(w.v));
        const auto bits = hn::IfThenElse(is_nan, hn::Set(tag, 0x7fc00000u), hn::BitCast(tag, w.v));
        const auto high = hn::Add(bits, hn::Set(tag, 0x8000u));
        lanes.write_upper(high, rounded + i);
        lanes.write_upper(hn::ShiftLeft<16>(bits), reinterpret_cast<Bf16*>(remainder) + i);
    }
};

template <class Weights>
void update_range(const AdamW& op, Weights weights, int64_t begin, int64_t end) {
    const auto step = static_cast<double>(op.step);
    const float* gradient = op.gradient.as<float>() + begin;
    float *m_all = op.m.as<float>() + begin, *v_all = op.v.as<float>() + begin;
    const Lanes scale(op.gradient_scale), eps(op.eps);
    const Lanes keep1(op.beta1), take1(1 - op.beta1), keep2(op.beta2), take2(1 - op.beta2);
    const Lanes rate(op.lr / (1 - std::pow(op.beta1, step)));
    const Lanes correct2(1 / (1 - std::pow(op.beta2, step)));
    const Lanes keep_weight(1 - op.lr * op.weight_decay);
    for_lanes(end - begin, [&](auto lanes, int64_t i) HWY_ATTR {
        const Lanes g = lanes.read(gradient + i) * scale;
        const Lanes m = multiply_add(keep1, lanes.read(m_all + i), take1 * g);
        const Lanes v = multiply_add(keep2, lanes.read(v_all + i), take2 * g * g);
        const Lanes update = rate * m / (sqrt_of(v * correct2) + eps);
        weights.write(lanes, weights.read(lanes, i) * keep_weight - update, i);
        lanes.write(m, m_all + i);
        lanes.write(v, v_all + i);
    });
}

}  // namespace

void adamw_range(const AdamW& op, int64_t begin, int64_t end) {
    if (op.weight.dtype == DType::kF32)
        update_range(op, WholeWeights{op.weight.as<float>() + begin}, begin, end);
    else
        update_range(op,
                     SplitWeights{op.weight.as<Bf16>() + begin, op.remainder.as<int16_t>() + begin},
                     begin, end);
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {

HWY_EXPORT(adamw_range);

void register_adamw(OpTable& table, ThreadPool& pool) {
    add_cpu<AdamW>(table, &AdamW::weight, [&pool](const AdamW& op) {
        const Partition range{op.weight.elements(), kPartElements};
        pool.run(range.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(adamw_range)(op, range.begin(part), range.end(part));
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
