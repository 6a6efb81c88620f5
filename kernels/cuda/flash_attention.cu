// bf16 attention on tensor cores (Dao, "FlashAttention-2", 2023): four warps, 16 queries each, walk
// over tiles of 64 keys; the next tile is copied while this one is multiplied.

#include "kernels/cuda/flash_attention.hpp"

#include "kernels/cuda/attention_heads.hpp"
#include "kernels/cuda/register.hpp"
#include "kernels/cuda/tiles.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kThreads = 128, kQueries = 64, kKeys = 64;
constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.69314718055994531f;

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    flash_forward(Heads at, const BFloat16* qkv, BFloat16* y, float* lse) {
    constexpr int64_t kTileSize = tile_elements<kWidth>(kKeys);
    DYNAMIC_SHARED(BFloat16, q);
    BFloat16* const kv = q + tile_elements<kWidth>(kQueries);  // [2 stages][k, v]
    const int64_t tiles = (at.time + kQueries - 1) / kQueries, index = blockIdx.x;
    // Those with the most keys first.
    const int64_t tile = tiles - 1 - index % tiles, h = index / tiles % at.heads;
    const int64_t first = index / tiles / at.heads * at.time, begin = tile * kQueries;
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
    load_tile<kQueries, kWidth, kThreads>(q, qkv + at.q(first + begin, h), at.packed,
                                          at.time - begin);
    load_keys(0);

    float sums[kWidth / 8][4] = {};
    float highest[2] = {-INFINITY, -INFINITY}, totals[2] = {0, 0};
    const float scale = at.scale * kLog2E;
    for (int64_t j = 0; j <= tile; ++j) {
        if (j < tile) {
            load_keys(j + 1);
            cp_async_wait<1>();
        } else {
            cp_async_wait<0>();
        }
        __syncthreads();
        const BFloat16* const k = kv + j % 2 * 2 * kTileSize;
        float scores[kKeys / 8][4] = {};
        multiply_by_rows<kWidth>(scores, q, row, k);
        float above[2] = {highest[0], highest[1]};
#pragma unroll
        for (int t = 0; t < kKeys / 8; ++t)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                scores[t][i] *= scale;
                // Keys after the query; of the last tile alone, which is the query's own.
                if (j == tile && 8 * t + fragment_column(i) > row + fragment_row(i))
                    scores[t][i] = -INFINITY;
                above[i / 2] = fmaxf(above[i / 2], scores[t][i]);
            }
        float kept[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            // The four lanes of a row.
            above[r] = fmaxf(above[r], __shfl_xor_sync(~0u, above[r], 1));
            above[r] = fmaxf(above[r], __shfl_xor_sync(~0u, above[r], 2));
            kept[r] = exp2f(highest[r] - above[r]);
            highest[r] = above[r];
            totals[r] *= kept[r];
        }
#pragma unroll
        for (int t = 0; t < kKeys / 8; ++t)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                scores[t][i] = exp2f(scores[t][i] - highest[i / 2]);
                totals[i / 2] += scores[t][i];
            }
#pragma unroll
        for (int t = 0; t < kWidth / 8; ++t)
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[t][i] *= kept[i / 2];
        multiply_rows<kWidth>(sums, scores, k + kTileSize);
        __syncthreads();  // before this stage is copied over
    }
    float factors[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        totals[r] += __shfl_xor_sync(~0u, totals[r], 1);
        totals[r] += __shfl_xor_sync(~0u, totals[r], 2);
        factors[r] = 1.0f / totals[r];
        const int64_t n = begin + row + fragment_row(2 * r);
        if (threadIdx.x % 4 == 0 && n < at.time)
            lse[(first + n) * at.heads + h] = highest[r] * kLn2 + logf(totals[r]);
    }
    store_rows<kWidth>(sums, factors, q + row * kTileStride<kWidth>,
                       y + at.y(first + begin + row, h), at.heads * kWidth, at.time - begin - row);
}

}  // namespace

void register_flash_attention(OpTable& table) {
    table.add<AttentionForward>(
        {"flash",
         [](const AttentionForward& op) { return flash_applies(op); },
         [](const AttentionForward& op, const Stream& stream) {
             with_flash_width(op.head_width(), [&](auto width) {
                 constexpr int kWidth = decltype(width)::value;
                 constexpr auto kShared = static_cast<size_t>(
                     (tile_elements<kWidth>(kQueries) + 4 * tile_elements<kWidth>(kKeys)) * 2);
                 launch(
                     "flash_attention.forward", flash_forward<kWidth>,
                     {flash_blocks(op.y_NQ.dim(0), op.time, op.heads, kQueries), kThreads, kShared},
                     stream, Heads::of(op), data_of<BFloat16>(op.qkv_NP),
                     data_of<BFloat16>(op.y_NQ), data_of<float>(op.lse_NH));
             });
         },
         {}});
    register_flash_attention_backward(table);
}

}  // namespace polytrain::cuda
