// A block to a new token's head. Its warps share out the cached tokens, each with a softmax of its
// own that is rescaled when a higher score comes (Milakov and Gimelshein, "Online normalizer
// calculation for softmax", 2018); at the end they are joined.

#include "ops/attention_cached.hpp"

#include <cmath>

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kMostTurns = 4;  // packs of a head that a lane has

struct Sizes {
    int64_t position, packed, cached;  // the rows' widths
    int heads, kv_heads, width;
};

template <class T>
__global__ void __launch_bounds__(256) cache_rows(const T* qkv_NP, T* cache_TK, Sizes s) {
    const int64_t n = blockIdx.x;
    const T* const from = qkv_NP + (n + 1) * s.packed - s.cached;
    T* const to = cache_TK + (s.position + n) * s.cached;
    for (int64_t c = threadIdx.x * kPack<T>; c < s.cached; c += blockDim.x * kPack<T>) {
        float v[kPack<T>];
        load_pack(from + c, s.cached - c, v);
        store_pack(to + c, s.cached - c, v);
    }
}

template <class T, int kTurns>
__global__ void __launch_bounds__(32 * kWarps)
    attend(const T* qkv_NP, const T* cache_TK, T* y_NQ, Sizes s, float scale) {
    constexpr int kEach = kTurns * kPack<T>, kMostWidth = 32 * kEach;
    SHARED_ARRAY(float, highests, kWarps);
    SHARED_ARRAY(float, sums, kWarps);
    DYNAMIC_SHARED(float, values);  // [warps, kMostWidth]
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t n = blockIdx.x / static_cast<unsigned>(s.heads);
    const int head = static_cast<int>(blockIdx.x % static_cast<unsigned>(s.heads));
    const T* const q = qkv_NP + n * s.packed + int64_t{head} * s.width;
    const T* const k = cache_TK + int64_t{head / (s.heads / s.kv_heads)} * s.width;
    const T* const v = k + int64_t{s.kv_heads} * s.width;

    // f(turn, the lane's first column of it).
    const auto for_turns = [&](auto&& f) {
#pragma unroll
        for (int turn = 0; turn < kTurns; ++turn) f(turn, (turn * 32 + lane) * kPack<T>);
    };
    float own_q[kTurns][kPack<T>], y[kTurns][kPack<T>] = {};
    for_turns([&](int turn, int c) { load_pack(q + c, s.width - c, own_q[turn]); });
    float highest = -INFINITY, sum = 0;
    for (int64_t j = warp; j <= s.position + n; j += kWarps) {
        float dot = 0;
        for_turns([&](int turn, int c) {
            float key[kPack<T>];
            load_pack(k + j * s.cached + c, s.width - c, key);
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i) dot += own_q[turn][i] * key[i];
        });
        const float score = warp_sum(dot) * scale;
        const float higher = fmaxf(highest, score);
        const float rescaled = expf(highest - higher), p = expf(score - higher);
        highest = higher;
        sum = sum * rescaled + p;
        for_turns([&](int turn, int c) {
            float value[kPack<T>];
            load_pack(v + j * s.cached + c, s.width - c, value);
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i) y[turn][i] = y[turn][i] * rescaled + p * value[i];
        });
    }
    for_turns([&](int turn, int c) {
#pragma unroll
        for (int i = 0; i < kPack<T>; ++i) values[warp * kMostWidth + c + i] = y[turn][i];
    });
    if (lane == 0) {
        highests[warp] = highest;
        sums[warp] = sum;
    }
    __syncthreads();
    float of_all = highests[0], total = 0, factors[kWarps];
#pragma unroll
    for (int w = 1; w < kWarps; ++w) of_all = fmaxf(of_all, highests[w]);
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
        factors[w] = expf(highests[w] - of_all);
        total += factors[w] * sums[w];
    }
    for (int c = static_cast<int>(threadIdx.x); c < s.width; c += 32 * kWarps) {
        float joined = 0;
#pragma unroll
        for (int w = 0; w < kWarps; ++w) joined += factors[w] * values[w * kMostWidth + c];
        y_NQ[(n * s.heads + head) * s.width + c] = from_float<T>(joined / total);
    }
}

template <class T, int kTurns>
void run_attend(const AttentionCached& op, const Sizes& s, const Stream& stream) {
    const size_t shared = size_t{kWarps} * 32 * kTurns * kPack<T> * sizeof(float);
    launch("attention_cached", attend<T, kTurns>, {op.y_NQ.dim(0) * op.heads, 32 * kWarps, shared},
           stream, data_of<T>(op.qkv_NP), data_of<T>(op.cache_TK), data_of<T>(op.y_NQ), s,
           static_cast<float>(1 / std::sqrt(static_cast<double>(s.width))));
}

template <class T>
void forward(const AttentionCached& op, const Stream& stream) {
    const Sizes s{op.position,
                  op.qkv_NP.dim(1),
                  op.cache_TK.dim(1),
                  static_cast<int>(op.heads),
                  static_cast<int>(op.kv_heads),
                  static_cast<int>(op.head_width())};
    launch("attention_cached.rows", cache_rows<T>, {op.y_NQ.dim(0), 256}, stream,
           data_of<T>(op.qkv_NP), data_of<T>(op.cache_TK), s);
    if (s.width <= 32 * kPack<T>)
        run_attend<T, 1>(op, s, stream);
    else
        run_attend<T, kMostTurns>(op, s, stream);
}

}  // namespace

void register_attention_cached(OpTable& table, const DeviceInfo&) {
    table.add<AttentionCached>(
        {"cuda",
         [](const AttentionCached& op) {
             return is_storage(op.y_NQ) && op.head_width() <= 32 * kMostTurns * kPack<float>;
         },
         [](const AttentionCached& op, const Stream& stream) {
             with_storage(op.y_NQ, [&](auto t) { forward<decltype(t)>(op, stream); });
         },
         {}});
}

}  // namespace polytrain::cuda
