#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kGroups = 16;

// A block to 32 columns, whose parts its warps share out: side by side in memory.
__global__ void __launch_bounds__(32 * kGroups)
    add_wide_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C) {
    SHARED_ARRAY(float, sums, 32 * kGroups);
    const int lane = static_cast<int>(threadIdx.x) % 32, group = static_cast<int>(threadIdx.x) / 32;
    const int64_t column = int64_t{blockIdx.x} * 32 + lane;
    float sum = 0;
    if (column < width)
        for (int64_t part = group; part < parts; part += kGroups)
            sum += parts_PC[part * width + column];
    sums[group * 32 + lane] = sum;
    __syncthreads();
    if (group > 0 || column >= width) return;
    sum = 0;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) sum += sums[i * 32 + lane];
    to_C[column] += sum;
}

// A block to a column, where there are few.
__global__ void __launch_bounds__(256)
    add_narrow_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C) {
    SHARED_ARRAY(float, shared, 32);
    float sum[1] = {0};
    for (int64_t part = threadIdx.x; part < parts; part += blockDim.x)
        sum[0] += parts_PC[part * width + blockIdx.x];
    block_sums(sum, shared);
    if (threadIdx.x == 0) to_C[blockIdx.x] += sum[0];
}

}  // namespace

void add_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C,
               const Stream& stream) {
    if (parts == 0) return;
    if (width <= 32)
        launch("add_parts", add_narrow_parts, {width, 256}, stream, parts_PC, parts, width, to_C);
    else
        launch("add_parts", add_wide_parts, {(width + 31) / 32, 32 * kGroups}, stream, parts_PC,
               parts, width, to_C);
}

}  // namespace polytrain::cuda
