// The gradients of bf16 attention on tensor cores: one kernel for queries, which walks over keys,
// and one for keys and values, which walks over queries and over the heads of their group. Scores
// are made twice, but every sum has one owner and a fixed order.

#include "kernels/cuda/attention_heads.hpp"
#include "kernels/cuda/flash_attention.hpp"
#include "kernels/cuda/tiles.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kThreads = 128, kRows = 64;  // rows of a block, 16 to a warp
constexpr int kKeys = 64, kQueries = 32;   // what it walks over, at a time
constexpr float kLog2E = 1.44269504088896341f;

// scores become p (exp(score - lse)) and dp becomes ds = p (dp - delta) scale. `row` and `column`
// give a fragment's query and key.
template <int kTiles, class Query, class Key, class Row>
__device__ __forceinline__ void softmax_backward(float (&scores)[kTiles][4], float (&dp)[kTiles][4],
                                                 float scale, Query query, Key key, Row row_of) {
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float2 row = row_of(t, i);  // lse, delta
            const bool is_seen = key(t, i) <= query(t, i);
            const float p = is_seen ? exp2f((scores[t][i] * scale - row.x) * kLog2E) : 0.0f;
            dp[t][i] = is_seen ? p * (dp[t][i] - row.y) * scale : 0.0f;
            scores[t][i] = p;
        }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    flash_dq(Heads at, const BFloat16* qkv, const BFloat16* dy, const float* lse,
             const float* delta, BFloat16* dqkv) {
    constexpr int64_t kTileSize = tile_elements<kWidth>(kKeys);
    DYNAMIC_SHARED(BFloat16, q);
    BFloat16* const own_dy = q + tile_elements<kWidth>(kRows);
    BFloat16* const kv = own_dy + tile_elements<kWidth>(kRows);  // [2 stages][k, v]
    const int64_t tiles = (at.time + kRows - 1) / kRows, index = blockIdx.x;
    const int64_t tile = tiles - 1 - index % tiles, h = index / tiles % at.heads;
    const int64_t first = index / tiles / at.heads * at.time, begin = tile * kRows;
    const int64_t g = h / at.per_group();
    const int row = static_cast<int>(threadIdx.x) / 32 * 16;
    const auto load_keys = [&](int64_t j) {
        BFloat16* const to = kv + j % 2 * 2 * kTileSize;
        const int64_t n = first + j * kKeys;
        load_tile<kKeys, kWidth, kThreads>(to, qkv + at.k(n, g), at.packed, at.time - j * kKeys);
        load_tile<kKeys, kWidth, kThreads>(to + kTileSize, qkv + at.v(n, g), at.packed,
                                           at.time - j * kKeys);
        cp_async_commit();
    };
    load_tile<kRows, kWidth, kThreads>(q, qkv + at.q(first + begin, h), at.packed, at.time - begin);
    load_tile<kRows, kWidth, kThreads>(own_dy, dy + at.y(first + begin, h), at.heads * kWidth,
                                       at.time - begin);
    load_keys(0);
    float2 rows[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int64_t n = begin + row + fragment_row(2 * r), at_n = (first + n) * at.heads + h;
        rows[r] = n < at.time ? float2{lse[at_n], delta[at_n]} : float2{0, 0};
    }
    float sums[kWidth / 8][4] = {};
    for (int64_t j = 0; j <= tile; ++j) {
        if (j < tile) {
            load_keys(j + 1);
            cp_async_wait<1>();
        } else {
            cp_async_wait<0>();
        }
        __syncthreads();
        const BFloat16* const k = kv + j % 2 * 2 * kTileSize;
        float scores[kKeys / 8][4] = {}, dp[kKeys / 8][4] = {};
        multiply_by_rows<kWidth>(scores, q, row, k);
        multiply_by_rows<kWidth>(dp, own_dy, row, k + kTileSize);
        const int64_t from = j * kKeys - begin;
        softmax_backward(
            scores, dp, at.scale, [&](int, int i) { return row + fragment_row(i); },
            [&](int t, int i) { return from + 8 * t + fragment_column(i); },
            [&](int, int i) { return rows[i / 2]; });
        multiply_rows<kWidth>(sums, dp, k);
        __syncthreads();
    }
    store_rows<kWidth>(sums, {1.0f, 1.0f}, q + row * kTileStride<kWidth>,
                       dqkv + at.q(first + begin + row, h), at.packed, at.time - begin - row);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    flash_dkv(Heads at, const BFloat16* qkv, const BFloat16* dy, const float* lse,
              const float* delta, BFloat16* dqkv) {
    constexpr int64_t kTileSize = tile_elements<kWidth>(kQueries);
    DYNAMIC_SHARED(BFloat16, k);
    BFloat16* const v = k + tile_elements<kWidth>(kRows);
    BFloat16* const walked = v + tile_elements<kWidth>(kRows);  // [2 stages][q, dy]
    SHARED_ARRAY(float2, row_numbers, 2 * kQueries);            // [2 stages][lse, delta]
    const int64_t tiles = (at.time + kRows - 1) / kRows, index = blockIdx.x;
    const int64_t begin = index % tiles * kRows, g = index / tiles % at.kv_heads;
    const int64_t first = index / tiles / at.kv_heads * at.time;
    const int row = static_cast<int>(threadIdx.x) / 32 * 16;
    // Steps: the tiles of queries from the first key on, of each head of the group in turn.
    const int per_head = static_cast<int>((at.time - begin + kQueries - 1) / kQueries);
    const int steps = per_head * static_cast<int>(at.per_group());
    const auto head_of = [&](int step) { return g * at.per_group() + step / per_head; };
    const auto query_of = [&](int step) { return begin + step % per_head * kQueries; };
    const auto load_queries = [&](int step) {
        const int64_t h = head_of(step), i = query_of(step), left = at.time - i;
        BFloat16* const to = walked + step % 2 * 2 * kTileSize;
        load_tile<kQueries, kWidth, kThreads>(to, qkv + at.q(first + i, h), at.packed, left);
        load_tile<kQueries, kWidth, kThreads>(to + kTileSize, dy + at.y(first + i, h),
                                              at.heads * kWidth, left);
        cp_async_commit();
        const int own = static_cast<int>(threadIdx.x);
        if (own < kQueries) {
            const int64_t at_n = (first + i + own) * at.heads + h;
            row_numbers[step % 2 * kQueries + own] =
                own < left ? float2{lse[at_n], delta[at_n]} : float2{0, 0};
        }
    };
    load_tile<kRows, kWidth, kThreads>(k, qkv + at.k(first + begin, g), at.packed, at.time - begin);
    load_tile<kRows, kWidth, kThreads>(v, qkv + at.v(first + begin, g), at.packed, at.time - begin);
    load_queries(0);
    float dk[kWidth / 8][4] = {}, dv[kWidth / 8][4] = {};
    for (int step = 0; step < steps; ++step) {
        if (step + 1 < steps) {
            load_queries(step + 1);
            cp_async_wait<1>();
        } else {
            cp_async_wait<0>();
        }
        __syncthreads();
        const BFloat16* const q = walked + step % 2 * 2 * kTileSize;
        const float2* const numbers = row_numbers + step % 2 * kQueries;
        // Transposed: rows are keys, columns are queries.
        float scores[kQueries / 8][4] = {}, dp[kQueries / 8][4] = {};
        multiply_by_rows<kWidth>(scores, k, row, q);
        multiply_by_rows<kWidth>(dp, v, row, q + kTileSize);
        const int64_t from = query_of(step) - begin, left = at.time - query_of(step);
        softmax_backward(
            scores, dp, at.scale,
            // Queries past the sequence see no key.
            [&](int t, int i) {
                const int column = 8 * t + fragment_column(i);
                return column < left ? from + column : int64_t{-1};
            },
            [&](int, int i) { return row + fragment_row(i); },
            [&](int t, int i) { return numbers[8 * t + fragment_column(i)]; });
        multiply_rows<kWidth>(dv, scores, q + kTileSize);
        multiply_rows<kWidth>(dk, dp, q);
        __syncthreads();
    }
    const int64_t left = at.time - begin - row;
    BFloat16* const own = k + row * kTileStride<kWidth>;
    store_rows<kWidth>(dk, {1.0f, 1.0f}, own, dqkv + at.k(first + begin + row, g), at.packed, left);
    store_rows<kWidth>(dv, {1.0f, 1.0f}, own, dqkv + at.v(first + begin + row, g), at.packed, left);
}

void backward(const AttentionBackward& op, const Stream& stream) {
    attention_delta(op, stream);
    with_flash_width(op.head_width(), [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        constexpr auto kOwn = 2 * tile_elements<kWidth>(kRows);
        const auto run = [&](const char* name, auto kernel, int64_t heads, int64_t walked) {
            launch(name, kernel,
                   {flash_blocks(op.y_NQ.dim(0), op.time, heads, kRows), kThreads,
                    static_cast<size_t>((kOwn + 4 * walked) * 2)},
                   stream, Heads::of(op), data_of<BFloat16>(op.qkv_NP), data_of<BFloat16>(op.dy_NQ),
                   data_of<float>(op.lse_NH), data_of<float>(op.scratch),
                   data_of<BFloat16>(op.dqkv_NP));
        };
        run("flash_attention.dq", flash_dq<kWidth>, op.heads, tile_elements<kWidth>(kKeys));
        run("flash_attention.dkv", flash_dkv<kWidth>, op.kv_heads, tile_elements<kWidth>(kQueries));
    });
}

}  // namespace

void register_flash_attention_backward(OpTable& table) {
    table.add<AttentionBackward>({"flash",
                                  [](const AttentionBackward& op) { return flash_applies(op); },
                                  backward, attention_delta_bytes});
}

}  // namespace polytrain::cuda
