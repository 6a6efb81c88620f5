// AdamW on vector lanes: one pass over weight, gradient, both moments and the stored weight.

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

void adamw_range(const AdamW& op, int64_t begin, int64_t end) {
    const auto step = static_cast<double>(op.step);
    float* weight = op.weight.as<float>() + begin;
    const float* gradient = op.gradient.as<float>() + begin;
    float *m_all = op.m.as<float>() + begin, *v_all = op.v.as<float>() + begin;
    const Lanes scale(op.gradient_scale), eps(op.eps);
    const Lanes keep1(op.beta1), take1(1 - op.beta1), keep2(op.beta2), take2(1 - op.beta2);
    const Lanes rate(op.lr / (1 - std::pow(op.beta1, step)));
    const Lanes correct2(1 / (1 - std::pow(op.beta2, step)));
    const Lanes keep_weight(1 - op.lr * op.weight_decay);
    Bf16* stored = op.stored.elements() > 0 ? op.stored.as<Bf16>() + begin : nullptr;
    for_lanes(end - begin, [&](auto lanes, int64_t i) HWY_ATTR {
        const Lanes g = lanes.read(gradient + i) * scale;
        const Lanes m = multiply_add(keep1, lanes.read(m_all + i), take1 * g);
        const Lanes v = multiply_add(keep2, lanes.read(v_all + i), take2 * g * g);
        const Lanes update = rate * m / (sqrt_of(v * correct2) + eps);
        const Lanes w = lanes.read(weight + i) * keep_weight - update;
        lanes.write(w, weight + i);
        if (stored != nullptr) lanes.write(w, stored + i);
        lanes.write(m, m_all + i);
        lanes.write(v, v_all + i);
    });
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
