// Attention over a cache of keys and values on vector lanes. One part is one head of one new token.

#include "ops/attention_cached.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_cached.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

// scratch: a score for each token of the cache, then the weighted sum of the values.
template <class T>
void part_of(const AttentionCached& op, int64_t n, int64_t head, float* scratch) {
    const int64_t width = op.head_width(), row = op.cache_TK.dim(1), count = op.position + n + 1;
    const T* q = op.qkv_NP.as<T>() + n * op.qkv_NP.dim(1) + head * width;
    const T* k = op.cache_TK.as<T>() + head / (op.heads / op.kv_heads) * width;
    const T* v = k + op.kv_heads * width;
    float *scores = scratch, *y = scratch + op.cache_TK.dim(0);
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
    for (int64_t j = 0; j < count; ++j) {
        Lanes dot = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t d) HWY_ATTR {
            dot = multiply_add(lanes.read(q + d), lanes.read(k + j * row + d), dot);
        });
        scores[j] = sum_of(dot) * scale;
    }
    const Lanes highest(*std::max_element(scores, scores + count));
    Lanes sums = zero_lanes();
    for_lanes(count, [&](auto lanes, int64_t j) HWY_ATTR {
        lanes.write(exp_of(lanes.read(scores + j) - highest), scores + j);
    });
    for_lanes(count, [&](auto lanes, int64_t j) HWY_ATTR { sums = sums + lanes.read(scores + j); });
    const float sum = sum_of(sums);
    std::fill(y, y + width, 0.0f);
    for (int64_t j = 0; j < count; ++j)
        for_lanes(width, [&](auto lanes, int64_t d) HWY_ATTR {
            lanes.write(
                multiply_add(Lanes(scores[j]), lanes.read(v + j * row + d), lanes.read(y + d)),
                y + d);
        });
    T* to = op.y_NQ.as<T>() + (n * op.heads + head) * width;
    for_lanes(width, [&](auto lanes, int64_t d)
                         HWY_ATTR { lanes.write(lanes.read(y + d) / Lanes(sum), to + d); });
}

}  // namespace

void attention_cached_part(const AttentionCached& op, int64_t n, int64_t head, float* scratch) {
    with_storage(op.y_NQ, [&](auto t) { part_of<decltype(t)>(op, n, head, scratch); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(attention_cached_part);

int64_t floats_of(const AttentionCached& op) {
    return op.cache_TK.dim(0) + op.head_width();
}

void append_to_cache(const AttentionCached& op) {
    const auto element = static_cast<int64_t>(size_of(op.y_NQ.dtype));
    const int64_t packed = op.qkv_NP.dim(1) * element, row = op.cache_TK.dim(1) * element;
    for (int64_t n = 0; n < op.y_NQ.dim(0); ++n)
        std::memcpy(static_cast<std::byte*>(op.cache_TK.data) + (op.position + n) * row,
                    static_cast<const std::byte*>(op.qkv_NP.data) + (n + 1) * packed - row,
                    static_cast<size_t>(row));
}

}  // namespace

void register_attention_cached(OpTable& table, ThreadPool& pool) {
    add_cpu<AttentionCached>(
        table, &AttentionCached::y_NQ,
        [&pool](const AttentionCached& op) {
            append_to_cache(op);
            pool.run(op.y_NQ.dim(0) * op.heads, [&](int64_t part, int thread) {
                HWY_DYNAMIC_DISPATCH(attention_cached_part)
                (op, part / op.heads, part % op.heads,
                 static_cast<float*>(op.scratch.data) + thread * floats_of(op));
            });
        },
        [&pool](const AttentionCached& op) {
            return static_cast<size_t>(pool.threads() * floats_of(op)) * sizeof(float);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
