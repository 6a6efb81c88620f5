#pragma once
// Tiles of bf16 in shared memory and the fragments that mma takes of them. A tile's rows are 16
// bytes apart from a multiple of the banks, so that ldmatrix meets no bank twice.

#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {

template <int kWidth>
inline constexpr int kTileStride = kWidth + 8;
template <int kWidth>
constexpr int64_t tile_elements(int rows) {
    return int64_t{rows} * kTileStride<kWidth>;
}

// Begins to copy `kRows` rows into a tile, `stride` elements apart from `from` on; rows from
// `count` on are 0.
template <int kRows, int kWidth, int kThreads>
__device__ __forceinline__ void load_tile(BFloat16* tile, const BFloat16* from, int64_t stride,
                                          int64_t count) {
    constexpr int kChunks = kWidth / 8;
    static_assert(kRows * kChunks % kThreads == 0);
#pragma unroll
    for (int i = 0; i < kRows * kChunks / kThreads; ++i) {
        const int index = i * kThreads + static_cast<int>(threadIdx.x);
        const int row = index / kChunks, chunk = index % kChunks;
        const bool is_row = row < count;
        // In 32 bits: what is kept of it over a loop takes half the registers.
        const int offset = is_row ? row * static_cast<int>(stride) : 0;
        cp_async_16(tile + row * kTileStride<kWidth> + chunk * 8, from + offset + chunk * 8,
                    is_row);
    }
}

// Of mma's a: rows [row, row + 16), columns [column, column + 16).
template <int kWidth>
__device__ __forceinline__ void load_a(uint32_t (&a)[4], const BFloat16* tile, int row,
                                       int column) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix_x4(a, tile + (row + lane % 16) * kTileStride<kWidth> + column + lane / 16 * 8);
}
// Two of mma's b from a tile that is its transpose: b[k][n] = tile[n][k]; n in [row, row + 16), k
// in [column, column + 16). The halves of `b` are of n below and above row + 8.
template <int kWidth>
__device__ __forceinline__ void load_b_of_rows(uint32_t (&b)[4], const BFloat16* tile, int row,
                                               int column) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix_x4(b, tile + (row + lane % 8 + lane / 16 * 8) * kTileStride<kWidth> + column +
                       lane / 8 % 2 * 8);
}
// Two of mma's b from a tile as it is: k in [row, row + 16), n in [column, column + 16).
template <int kWidth>
__device__ __forceinline__ void load_b(uint32_t (&b)[4], const BFloat16* tile, int row,
                                       int column) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix_x4_transposed(b,
                           tile + (row + lane % 16) * kTileStride<kWidth> + column + lane / 16 * 8);
}
__device__ __forceinline__ void multiply_pair(float (&left)[4], float (&right)[4],
                                              const uint32_t (&a)[4], const uint32_t (&b)[4]) {
    mma_m16n8k16(left, a, {b[0], b[1]});
    mma_m16n8k16(right, a, {b[2], b[3]});
}

// sums (16 x 8 kTiles) += a_tile rows [row, row + 16) times the transpose of b_tile's first 8
// kTiles rows; both kWidth wide.
template <int kWidth, int kTiles>
__device__ __forceinline__ void multiply_by_rows(float (&sums)[kTiles][4], const BFloat16* a_tile,
                                                 int row, const BFloat16* b_tile) {
#pragma unroll
    for (int k = 0; k < kWidth; k += 16) {
        uint32_t a[4];
        load_a<kWidth>(a, a_tile, row, k);
#pragma unroll
        for (int j = 0; j < kTiles; j += 2) {
            uint32_t b[4];
            load_b_of_rows<kWidth>(b, b_tile, 8 * j, k);
            multiply_pair(sums[j], sums[j + 1], a, b);
        }
    }
}
// sums (16 x kWidth) += factors (16 x 8 kTiles, rounded to bf16) times the tile's first 8 kTiles
// rows.
template <int kWidth, int kTiles>
__device__ __forceinline__ void multiply_rows(float (&sums)[kWidth / 8][4],
                                              const float (&factors)[kTiles][4],
                                              const BFloat16* tile) {
#pragma unroll
    for (int k = 0; k < kTiles; k += 2) {
        const uint32_t a[4] = {pair_of(factors[k][0], factors[k][1]),
                               pair_of(factors[k][2], factors[k][3]),
                               pair_of(factors[k + 1][0], factors[k + 1][1]),
                               pair_of(factors[k + 1][2], factors[k + 1][3])};
#pragma unroll
        for (int j = 0; j < kWidth / 8; j += 2) {
            uint32_t b[4];
            load_b<kWidth>(b, tile, 8 * k, 8 * j);
            multiply_pair(sums[j], sums[j + 1], a, b);
        }
    }
}

// Of an accumulator: the row and column that a lane's number `i` of 4 has in its 16 x 8.
__device__ __forceinline__ int fragment_row(int i) {
    return static_cast<int>(threadIdx.x) % 32 / 4 + i / 2 * 8;
}
__device__ __forceinline__ int fragment_column(int i) {
    return static_cast<int>(threadIdx.x) % 4 * 2 + i % 2;
}

// A warp's 16 x kWidth results, rounded, into 16 rows of its own in shared memory and from there in
// 16-byte accesses to rows `stride` apart from `to` on, `count` of them. `factors`: of the rows g
// and g + 8 that a lane has.
template <int kWidth>
__device__ __forceinline__ void store_rows(const float (&sums)[kWidth / 8][4],
                                           const float (&factors)[2], BFloat16* tile, BFloat16* to,
                                           int64_t stride, int64_t count) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    __syncwarp();
#pragma unroll
    for (int j = 0; j < kWidth / 8; ++j)
#pragma unroll
        for (int i = 0; i < 4; i += 2)
            *reinterpret_cast<uint32_t*>(tile + fragment_row(i) * kTileStride<kWidth> + 8 * j +
                                         fragment_column(i)) =
                pair_of(sums[j][i] * factors[i / 2], sums[j][i + 1] * factors[i / 2]);
    __syncwarp();
    constexpr int kChunks = kWidth / 8;
    for (int i = lane; i < 16 * kChunks; i += 32) {
        const int row = i / kChunks, chunk = i % kChunks;
        if (row < count)
            store_global_16(to + row * stride + chunk * 8,
                            load_16(tile + row * kTileStride<kWidth> + chunk * 8));
    }
}

}  // namespace polytrain::cuda
