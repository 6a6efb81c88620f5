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
constexpr int64_t kBlock = SquaredChunks::kChunk;

template <class T>
double block_sum(const T* x, int64_t count, bool squared) {
    Lanes part = zero_lanes();
    for_lanes(count, [&](auto lanes, int64_t i) HWY_ATTR {
        const Lanes value = lanes.read(x + i);
        part = squared ? multiply_add(value, value, part) : part + value;
    });
    return sum_of(part);
}

template <class T>
double sum(const Sum& op, int64_t begin, int64_t end) {
    const T* x = op.x.as<T>();
    double total = 0;
    for (int64_t block = begin; block < end; block += kBlock)
        total += block_sum(x + block, std::min(kBlock, end - block), op.squared);
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
void squared_chunks(const SquaredChunks& op, int64_t begin, int64_t end) {
    with_storage(op.x, [&](auto t) {
        for (int64_t m = begin; m < end; ++m)
            op.sums_M.as<double>()[m] =
                block_sum(op.x.as<decltype(t)>() + m * kBlock,
                          std::min(kBlock, op.x.elements() - m * kBlock), true);
    });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(add_range);
HWY_EXPORT(convert_range);
HWY_EXPORT(sum_range);
HWY_EXPORT(squared_chunks);

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
                    y[i] = decltype(t)(
                        static_cast<float>(op.std * normal(op.key, op.first + i, op.cut)));
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
    add_cpu<SquaredChunks>(table, &SquaredChunks::x, [&pool](const SquaredChunks& op) {
        const Partition chunks{op.sums_M.elements(), 64};
        pool.run(chunks.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(squared_chunks)(op, chunks.begin(part), chunks.end(part));
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
