#include "kernels/cuda/column_sums.hpp"

namespace polytrain::cuda {
namespace {

__global__ void __launch_bounds__(kColumnThreads)
    add_wide_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C) {
    SHARED_ARRAY(float, shared, kColumnThreads);
    const float sum = column_sum(parts_PC, parts, width, shared);
    const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
    if (threadIdx.x < 32 && column < width) to_C[column] += sum;
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
        launch("add_parts", add_wide_parts, column_launch(width), stream, parts_PC, parts, width,
               to_C);
}

}  // namespace polytrain::cuda
