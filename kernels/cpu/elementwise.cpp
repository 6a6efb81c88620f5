// Flat ops on vector lanes.

#include "ops/elementwise.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/elementwise.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

void add_range(const Add& op, int64_t begin, int64_t end) {
    const float *a = op.a.as<float>() + begin, *b = op.b.as<float>() + begin;
    float* y = op.y.as<float>() + begin;
    for_lanes(end - begin, [&](auto lanes, int64_t i) HWY_ATTR {
        lanes.write(lanes.read(a + i) + lanes.read(b + i), y + i);
    });
}

// Blocks small enough that f32 lanes lose nothing that matters; blocks add up in f64.
double sum_range(const Sum& op, int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 1024;
    const float* x = op.x.as<float>();
    double total = 0;
    for (int64_t block = begin; block < end; block += kBlock) {
        Lanes sum = zero_lanes();
        for_lanes(std::min(kBlock, end - block), [&](auto lanes, int64_t i) HWY_ATTR {
            const Lanes value = lanes.read(x + block + i);
            sum = op.squared ? multiply_add(value, value, sum) : sum + value;
        });
        total += sum_of(sum);
    }
    return total;
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(add_range);
HWY_EXPORT(sum_range);

Partition flat_parts(const Tensor& x) {
    return {x.elements(), 4 * kPartElements};
}

}  // namespace

void register_elementwise(OpTable& table, ThreadPool& pool) {
    add_f32<Add>(table, &Add::y, [&pool](const Add& op) {
        const Partition range = flat_parts(op.y);
        pool.run(range.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(add_range)(op, range.begin(part), range.end(part));
        });
    });
    add_f32<Sum>(
        table, &Sum::x,
        [&pool](const Sum& op) {
            const Partition range = flat_parts(op.x);
            auto* sums = static_cast<double*>(op.scratch.data);  // [parts]
            pool.run(range.parts(), [&](int64_t part, int) {
                sums[part] =
                    HWY_DYNAMIC_DISPATCH(sum_range)(op, range.begin(part), range.end(part));
            });
            double total = 0;
            for (int64_t part = 0; part < range.parts(); ++part) total += sums[part];
            *op.result_1.as<double>() = total;
        },
        [](const Sum& op) {
            return static_cast<size_t>(flat_parts(op.x).parts()) * sizeof(double);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
