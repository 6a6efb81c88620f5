// Rotary positions on vector lanes.

#include "ops/rotary.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

template <class T>
void rows_of(const RotaryApply& op, int64_t begin, int64_t end) {
    const int64_t time = op.table_TD.dim(0), width = op.table_TD.dim(1), half = width / 2;
    const Lanes sign(op.inverse ? -1.0f : 1.0f);
    for (int64_t n = begin; n < end; ++n) {
        const float* cos_row = op.table_TD.as<float>() + (op.first + n) % time * width;
        const float* sin_row = cos_row + half;
        for (int64_t h = 0; h < op.rotated; ++h) {
            T* low = op.x_NP.as<T>() + n * op.x_NP.dim(1) + h * width;
            T* high = low + half;
            for_lanes(half, [&](auto lanes, int64_t j) HWY_ATTR {
                const Lanes cos = lanes.read(cos_row + j), sin = sign * lanes.read(sin_row + j);
                const Lanes u = lanes.read(low + j), v = lanes.read(high + j);
                lanes.write(u * cos - v * sin, low + j);
                lanes.write(multiply_add(v, cos, u * sin), high + j);
            });
        }
    }
}

void rotary_rows(const RotaryApply& op, int64_t begin, int64_t end) {
    with_storage(op.x_NP, [&](auto t) { rows_of<decltype(t)>(op, begin, end); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {

HWY_EXPORT(rotary_rows);

void register_rotary(OpTable& table, ThreadPool& pool) {
    add_cpu<RotaryApply>(table, &RotaryApply::x_NP, [&pool](const RotaryApply& op) {
        const Partition rows = row_parts(op.x_NP.dim(0), op.x_NP.dim(1));
        pool.run(rows.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(rotary_rows)(op, rows.begin(part), rows.end(part));
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
