#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {
namespace {

// A warp to 32 columns; the lanes' parts are read side by side.
__global__ void add_parts_kernel(const float* parts_PC, int64_t parts, int64_t width, float* to_C) {
    const int64_t column = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (column >= width) return;
    float sum = 0;
    for (int64_t part = 0; part < parts; ++part) sum += parts_PC[part * width + column];
    to_C[column] += sum;
}

}  // namespace

void add_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C,
               const Stream& stream) {
    if (parts == 0) return;
    launch("add_parts", add_parts_kernel, covering(width, 1, 128), stream, parts_PC, parts, width,
           to_C);
}

}  // namespace polytrain::cuda
