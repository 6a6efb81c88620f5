#include "op_bench/cpu_peaks.hpp"

#include <algorithm>
#include <functional>
#include <vector>

#include "core/clock.hpp"
#include "core/thread_pool.hpp"
#include "kernels/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op_bench/cpu_peaks.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace polytrain::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;

// Returns the operations, two for each multiply-add of a lane.
double multiply_adds(int64_t rounds, float* sink) {
    constexpr int kSums = hn::MaxLanes(Tag()) >= 16 ? 24 : 12;
    const Tag tag;
    const auto a = hn::Set(tag, *sink), b = hn::Set(tag, 0.5f);
    hn::Vec<Tag> sums[kSums];
    for (auto& sum : sums) sum = hn::Zero(tag);
    for (int64_t i = 0; i < rounds; ++i) {
        HWY_UNROLL(24)  // else they aren't in registers
        for (auto& sum : sums) sum = hn::MulAdd(sum, b, a);
    }
    for (const auto& sum : sums) *sink += hn::GetLane(hn::SumOfLanes(tag, sum));
    return 2.0 * kSums * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(tag));
}

void streaming_copy(const float* from, float* to, int64_t count) {
    const Tag tag;
    const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
    for (int64_t i = 0; i + lanes <= count; i += lanes)
        hn::Stream(hn::Load(tag, from + i), tag, to + i);
    hwy::FlushStream();
}

}  // namespace polytrain::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace polytrain::bench {
namespace {

HWY_EXPORT(multiply_adds);
HWY_EXPORT(streaming_copy);

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) double bf16_pairs(int64_t rounds, float* sink) {
    constexpr int kSums = 24;
    const auto a = _mm512_cvtneps_pbh(_mm512_set1_ps(*sink));
    const __m512 both = _mm512_set1_ps(*sink);
    __m512 sums[kSums];
    for (__m512& sum : sums) sum = both;
    const auto pairs = (__m512bh)_mm512_broadcast_i64x4((__m256i)a);
    for (int64_t i = 0; i < rounds; ++i) {
        HWY_UNROLL(24)
        for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, pairs, pairs);
    }
    for (const __m512& sum : sums) *sink += _mm512_reduce_add_ps(sum);
    return 2.0 * kSums * 32.0 * static_cast<double>(rounds);
}
bool has_bf16_pairs() {
    return __builtin_cpu_supports("avx512bf16") != 0;
}
#else
double bf16_pairs(int64_t, float*) {
    return 0;
}
bool has_bf16_pairs() {
    return false;
}
#endif

constexpr int kTries = 10;

double best_seconds(ThreadPool& pool, const std::function<void(int)>& work) {
    double best = 1e9;
    for (int i = 0; i < kTries; ++i) {
        const Stopwatch watch;
        pool.run(pool.threads(), [&](int64_t part, int) { work(static_cast<int>(part)); });
        best = std::min(best, watch.seconds());
    }
    return best;
}

}  // namespace

CpuPeaks measure_cpu_peaks(int threads) {
    ThreadPool pool(threads);
    CpuPeaks peaks;
    std::vector<float> sinks(static_cast<size_t>(threads) * 64, 1e-3f);
    const auto operations = [&](auto multiply) {
        constexpr int64_t kRounds = 200000;
        std::vector<double> done(static_cast<size_t>(threads));
        const double seconds = best_seconds(pool, [&](int thread) {
            const auto t = static_cast<size_t>(thread);
            done[t] = multiply(kRounds, &sinks[64 * t]);
        });
        double sum = 0;
        for (const double count : done) sum += count;
        return sum / seconds * 1e-12;
    };
    peaks.f32 = operations(HWY_DYNAMIC_DISPATCH(multiply_adds));
    if (has_bf16_pairs()) peaks.bf16 = operations(bf16_pairs);

    const int64_t share = (int64_t{256} << 20) / static_cast<int64_t>(sizeof(float)) / threads;
    const auto count = static_cast<size_t>(share * threads);
    const auto backend = make_cpu_backend(1);
    const Buffer from_memory(*backend, count * sizeof(float)),
        to_memory(*backend, count * sizeof(float));
    auto *from = static_cast<float*>(from_memory.data()),
         *to = static_cast<float*>(to_memory.data());
    std::fill_n(from, count, 1.0f);
    std::fill_n(to, count, 1.0f);
    const double moved = 2e-9 * static_cast<double>(count * sizeof(float));
    peaks.copy = moved / best_seconds(pool, [&](int thread) {
                     std::copy_n(from + thread * share, share, to + thread * share);
                 });
    peaks.streaming_copy = moved / best_seconds(pool, [&](int thread) {
                               HWY_DYNAMIC_DISPATCH(streaming_copy)
                               (from + thread * share, to + thread * share, share);
                           });
    return peaks;
}

}  // namespace polytrain::bench
#endif  // HWY_ONCE
