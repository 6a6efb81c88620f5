// Flat ops on vector lanes.

#include "ops/elementwise.hpp"

#include "kernels/common/normal.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/elementwise.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

namespace {

template <class T>
void add(const Add& op, int64_t begin, int64_t end) {
    const T *a = op.a.as<T>() + begin, *b = op.b.as<T>() + begin;
    T* y = op.y.as<T>() + begin;
    for_lanes(end - begin, [&](auto lanes, int64_t i) HWY_ATTR {
        lanes.write(lanes.read(a + i) + lanes.read(b + i), y + i);
    });
}

template <class From, class To>
void convert(const From* from, To* to, int64_t count) {
    for_lanes(count,
              [&](auto lanes, int64_t i) HWY_ATTR { lanes.write(lanes.read(from + i), to + i); });
}

// Blocks small enough that f32 lanes lose nothing that matters; blocks add up in f64.
template <class T>
double sum(const Sum& op, int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 1024;
    const T* x = op.x.as<T>();
    double total = 0;
    for (int64_t block = begin; block < end; block += kBlock) {
        Lanes part = zero_lanes();
        for_lanes(std::min(kBlock, end - block), [&](auto lanes, int64_t i) HWY_ATTR {
            const Lanes value = lanes.read(x + block + i);
            part = op.squared ? multiply_add(value, value, part) : part + value;
        });
        total += sum_of(part);
    }
    return total;
}

}  // namespace

void add_range(const Add& op, int64_t begin, int64_t end) {
    with_storage(op.y, [&](auto t) { add<decltype(t)>(op, begin, end); });
}
void convert_range(const Convert& op, int64_t begin, int64_t end) {
    with_storage(op.x, [&](auto from) {
        with_storage(op.y, [&](auto to) {
            convert(op.x.as<decltype(from)>() + begin, op.y.as<decltype(to)>() + begin,
                    end - begin);
        });
    });
}
double sum_range(const Sum& op, int64_t begin, int64_t end) {
    return with_storage(op.x, [&](auto t) { return sum<decltype(t)>(op, begin, end); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(add_range);
HWY_EXPORT(convert_range);
HWY_EXPORT(sum_range);

Partition flat_parts(const Tensor& x) {
    return {x.elements(), 4 * kPartElements};
}

}  // namespace

void register_elementwise(OpTable& table, ThreadPool& pool) {
    add_cpu<Add>(table, &Add::y, [&pool](const Add& op) {
        const Partition range = flat_parts(op.y);
        pool.run(range.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(add_range)(op, range.begin(part), range.end(part));
        });
    });
    add_cpu<Convert>(table, &Convert::x, [&pool](const Convert& op) {
        const Partition range = flat_parts(op.y);
        pool.run(range.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(convert_range)(op, range.begin(part), range.end(part));
        });
    });
    add_cpu<RandomNormal>(table, &RandomNormal::y, [&pool](const RandomNormal& op) {
        const Partition range = flat_parts(op.y);
        pool.run(range.parts(), [&](int64_t part, int) {
            with_storage(op.y, [&](auto t) {
                auto* y = op.y.as<decltype(t)>();
                for (int64_t i = range.begin(part); i < range.end(part); ++i)
                    y[i] = decltype(t)(static_cast<float>(op.std * normal(op.key, i, op.cut)));
            });
        });
    });
    add_cpu<Sum>(
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
