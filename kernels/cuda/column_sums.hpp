#pragma once
// Sums over parts of 32 columns at a time, by a block: the second stage of sums over rows.

#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {

inline constexpr int kColumnGroups = 16;
inline constexpr int kColumnThreads = 32 * kColumnGroups;
inline Launch column_launch(int64_t width) {
    return {(width + 31) / 32, kColumnThreads};
}

// sum_p parts_pc of the thread's column c = 32 blockIdx + lane, for the threads of the first warp;
// the warps share out the parts, which lie side by side in memory. `shared` holds kColumnThreads.
template <class Sum, class T>
__device__ __forceinline__ Sum column_sum(const T* parts_PC, int64_t parts, int64_t width,
                                          Sum* shared) {
    const int lane = static_cast<int>(threadIdx.x) % 32, group = static_cast<int>(threadIdx.x) / 32;
    const int64_t column = int64_t{blockIdx.x} * 32 + lane;
    Sum sum = 0;
    if (column < width)
        for (int64_t part = group; part < parts; part += kColumnGroups)
            sum += static_cast<Sum>(parts_PC[part * width + column]);
    shared[group * 32 + lane] = sum;
    __syncthreads();
    sum = 0;
#pragma unroll
    for (int i = 0; i < kColumnGroups; ++i) sum += shared[i * 32 + lane];
    return sum;
}

}  // namespace polytrain::cuda
