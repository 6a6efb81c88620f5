// Attention in f32 arithmetic, for f32 and for bf16 of any head width up to 256: a warp to a query
// (in the gradients of keys and values, to a key), tiles of 32 of the others in shared memory. A
// lane makes one score of the tile; then lanes take columns of the result.

#include "kernels/cuda/attention_heads.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kWarps = 8, kTile = 32, kMostWidth = 256, kColumns = kMostWidth / 32;

// A tile's rows are one float apart from a multiple of the banks.
inline size_t shared_bytes(int64_t width) {
    const size_t tiles = static_cast<size_t>(2 * kTile * (width + 1));
    const size_t own = static_cast<size_t>(2 * kWarps * width);
    return (tiles + own + 2 * kTile) * sizeof(float);
}

// Rows [first, last) of two arrays into tiles; `a` and `b` give a row's offset.
template <class T, class A, class B>
__device__ void load_tiles(const T* from_a, A a, float* tile_a, const T* from_b, B b, float* tile_b,
                           int64_t first, int64_t last, int64_t width) {
    for (int64_t i = threadIdx.x; i < kTile * width; i += blockDim.x) {
        const int64_t row = i / width, d = i % width, n = first + row;
        tile_a[row * (width + 1) + d] = n < last ? to_float(from_a[a(n) + d]) : 0.0f;
        tile_b[row * (width + 1) + d] = n < last ? to_float(from_b[b(n) + d]) : 0.0f;
    }
}

__device__ float dot(const float* a, const float* b, int64_t width) {
    float sum = 0;
    for (int64_t d = 0; d < width; ++d) sum += a[d] * b[d];
    return sum;
}

// sums_d += sum_j factor_j tile_jd, the lanes' factors in order.
__device__ void add_rows(float (&sums)[kColumns], float factor, const float* tile, int64_t width,
                         int lane) {
#pragma unroll 4  // all of them at once ask for more registers than a thread has
    for (int j = 0; j < kTile; ++j) {
        const float f = __shfl_sync(~0u, factor, j);
#pragma unroll
        for (int i = 0; i < kColumns; ++i)
            if (lane + 32 * i < width) sums[i] += f * tile[j * (width + 1) + lane + 32 * i];
    }
}

// Which head, sequence and positions a block works on.
struct Block {
    int64_t head, first, begin, end;  // the sequence's first row; this block's rows
    __device__ Block(int64_t heads, int64_t time) {
        const int64_t tiles = (time + kWarps - 1) / kWarps, index = blockIdx.x;
        head = index / tiles % heads;
        first = index / tiles / heads * time;
        begin = first + index % tiles * kWarps;
        end = begin + kWarps < first + time ? begin + kWarps : first + time;
    }
};
inline Launch blocks_for(int64_t rows, int64_t time, int64_t heads, int64_t width) {
    const int64_t sequences = time == 0 ? 0 : rows / time;
    return {sequences * heads * ((time + kWarps - 1) / kWarps), 32 * kWarps, shared_bytes(width)};
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps)
    attention_forward(Heads at, const T* qkv, T* y, float* lse) {
    DYNAMIC_SHARED(float, shared);
    const int64_t width = at.width;
    float *const k = shared, *const v = k + kTile * (width + 1);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    float* const q = v + kTile * (width + 1) + warp * width;
    const Block block(at.heads, at.time);
    const int64_t h = block.head, g = h / at.per_group(), n = block.begin + warp;
    const bool is_row = n < block.end;
    for (int64_t d = lane; d < width; d += 32)
        q[d] = is_row ? to_float(qkv[at.q(n, h) + d]) * at.scale : 0.0f;
    float sums[kColumns] = {}, highest = -INFINITY, total = 0;
    for (int64_t j0 = block.first; j0 < block.end; j0 += kTile) {
        __syncthreads();
        load_tiles(
            qkv, [&](int64_t j) { return at.k(j, g); }, k, qkv,
            [&](int64_t j) { return at.v(j, g); }, v, j0, block.end, width);
        __syncthreads();
        const bool is_seen = j0 + lane <= n;
        const float score = is_seen ? dot(q, k + lane * (width + 1), width) : -INFINITY;
        const float above = fmaxf(highest, warp_max(score));
        // A warp past this tile's keys has seen its own before: above is finite.
        const float kept = expf(highest - above), p = is_seen ? expf(score - above) : 0.0f;
        total = total * kept + warp_sum(p);
        highest = above;
#pragma unroll
        for (int i = 0; i < kColumns; ++i) sums[i] *= kept;
        add_rows(sums, p, v, width, lane);
    }
    if (!is_row) return;
    if (lane == 0) lse[n * at.heads + h] = highest + logf(total);
#pragma unroll
    for (int i = 0; i < kColumns; ++i)
        if (lane + 32 * i < width) y[at.y(n, h) + lane + 32 * i] = from_float<T>(sums[i] / total);
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps)
    attention_dq(Heads at, const T* qkv, const T* dy, const float* lse, const float* delta,
                 T* dqkv) {
    DYNAMIC_SHARED(float, shared);
    const int64_t width = at.width;
    float *const k = shared, *const v = k + kTile * (width + 1);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    float* const q = v + kTile * (width + 1) + 2 * warp * width;
    float* const own_dy = q + width;
    const Block block(at.heads, at.time);
    const int64_t h = block.head, g = h / at.per_group(), n = block.begin + warp;
    const bool is_row = n < block.end;
    for (int64_t d = lane; d < width; d += 32) {
        q[d] = is_row ? to_float(qkv[at.q(n, h) + d]) * at.scale : 0.0f;
        own_dy[d] = is_row ? to_float(dy[at.y(n, h) + d]) : 0.0f;
    }
    const float own_lse = is_row ? lse[n * at.heads + h] : 0.0f;
    const float own_delta = is_row ? delta[n * at.heads + h] : 0.0f;
    float sums[kColumns] = {};
    for (int64_t j0 = block.first; j0 < block.end; j0 += kTile) {
        __syncthreads();
        load_tiles(
            qkv, [&](int64_t j) { return at.k(j, g); }, k, qkv,
            [&](int64_t j) { return at.v(j, g); }, v, j0, block.end, width);
        __syncthreads();
        float ds = 0;
        if (j0 + lane <= n && is_row) {
            const float p = expf(dot(q, k + lane * (width + 1), width) - own_lse);
            ds = p * (dot(own_dy, v + lane * (width + 1), width) - own_delta) * at.scale;
        }
        add_rows(sums, ds, k, width, lane);
    }
    if (!is_row) return;
#pragma unroll
    for (int i = 0; i < kColumns; ++i)
        if (lane + 32 * i < width) dqkv[at.q(n, h) + lane + 32 * i] = from_float<T>(sums[i]);
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps)
    attention_dkv(Heads at, const T* qkv, const T* dy, const float* lse, const float* delta,
                  T* dqkv) {
    DYNAMIC_SHARED(float, shared);
    const int64_t width = at.width;
    float *const q = shared, *const tile_dy = q + kTile * (width + 1);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    float* const k = tile_dy + kTile * (width + 1) + 2 * warp * width;
    float* const v = k + width;
    const Block block(at.kv_heads, at.time);
    const int64_t g = block.head, n = block.begin + warp, last = block.first + at.time;
    const bool is_row = n < block.end;
    for (int64_t d = lane; d < width; d += 32) {
        k[d] = is_row ? to_float(qkv[at.k(n, g) + d]) * at.scale : 0.0f;
        v[d] = is_row ? to_float(qkv[at.v(n, g) + d]) : 0.0f;
    }
    float dk[kColumns] = {}, dv[kColumns] = {};
    for (int64_t h = g * at.per_group(); h < (g + 1) * at.per_group(); ++h)
        for (int64_t i0 = block.begin; i0 < last; i0 += kTile) {
            __syncthreads();
            load_tiles(
                qkv, [&](int64_t i) { return at.q(i, h); }, q, dy,
                [&](int64_t i) { return at.y(i, h); }, tile_dy, i0, last, width);
            __syncthreads();
            const int64_t i = i0 + lane;
            float p = 0, ds = 0;
            if (i >= n && i < last && is_row) {
                p = expf(dot(k, q + lane * (width + 1), width) - lse[i * at.heads + h]);
                ds = p * (dot(v, tile_dy + lane * (width + 1), width) - delta[i * at.heads + h]) *
                     at.scale;
            }
            add_rows(dv, p, tile_dy, width, lane);
            add_rows(dk, ds, q, width, lane);
        }
    if (!is_row) return;
#pragma unroll
    for (int i = 0; i < kColumns; ++i) {
        if (lane + 32 * i >= width) continue;
        dqkv[at.k(n, g) + lane + 32 * i] = from_float<T>(dk[i]);
        dqkv[at.v(n, g) + lane + 32 * i] = from_float<T>(dv[i]);
    }
}

// A warp to a head of a row.
template <class T>
__global__ void __launch_bounds__(256)
    delta_kernel(const T* y, const T* dy, float* delta, int64_t count, int64_t width) {
    const int64_t index = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (index >= count) return;
    float sum = 0;
    for (int64_t d = lane; d < width; d += 32)
        sum += to_float(y[index * width + d]) * to_float(dy[index * width + d]);
    sum = warp_sum(sum);
    if (lane == 0) delta[index] = sum;
}

template <class Op>
bool applies(const Op& op) {
    return is_storage(op.qkv_NP) && op.head_width() <= kMostWidth;
}

}  // namespace

void attention_delta(const AttentionBackward& op, const Stream& stream) {
    with_storage(op.y_NQ, [&](auto t) {
        using T = decltype(t);
        launch("attention.delta", delta_kernel<T>, covering(op.lse_NH.elements() * 32), stream,
               data_of<T>(op.y_NQ), data_of<T>(op.dy_NQ), data_of<float>(op.scratch),
               op.lse_NH.elements(), op.head_width());
    });
}

void register_attention(OpTable& table) {
    table.add<AttentionForward>(
        {"cuda",
         applies<AttentionForward>,
         [](const AttentionForward& op, const Stream& stream) {
             with_storage(op.qkv_NP, [&](auto t) {
                 using T = decltype(t);
                 launch("attention.forward", attention_forward<T>,
                        blocks_for(op.y_NQ.dim(0), op.time, op.heads, op.head_width()), stream,
                        Heads::of(op), data_of<T>(op.qkv_NP), data_of<T>(op.y_NQ),
                        data_of<float>(op.lse_NH));
             });
         },
         {}});
    table.add<AttentionBackward>(
        {"cuda", applies<AttentionBackward>,
         [](const AttentionBackward& op, const Stream& stream) {
             attention_delta(op, stream);
             with_storage(op.qkv_NP, [&](auto t) {
                 using T = decltype(t);
                 const int64_t rows = op.y_NQ.dim(0), width = op.head_width();
                 launch("attention.dq", attention_dq<T>, blocks_for(rows, op.time, op.heads, width),
                        stream, Heads::of(op), data_of<T>(op.qkv_NP), data_of<T>(op.dy_NQ),
                        data_of<float>(op.lse_NH), data_of<float>(op.scratch),
                        data_of<T>(op.dqkv_NP));
                 launch("attention.dkv", attention_dkv<T>,
                        blocks_for(rows, op.time, op.kv_heads, width), stream, Heads::of(op),
                        data_of<T>(op.qkv_NP), data_of<T>(op.dy_NQ), data_of<float>(op.lse_NH),
                        data_of<float>(op.scratch), data_of<T>(op.dqkv_NP));
             });
         },
         attention_delta_bytes});
}

}  // namespace polytrain::cuda
