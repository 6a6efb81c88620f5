// Kernels for the budget check's own test: one that keeps its budget, and with POLYTRAIN_BAD one
// for each way to break it.

#include <cstdint>
#include <cstring>

namespace polytrain::cuda {

constexpr int kThreads = 256;

// y = a x, four at a time.
__global__ __launch_bounds__(kThreads) void scale(const float4* x, float4* y, float a, int64_t n) {
    __shared__ float factor;
    if (threadIdx.x == 0) factor = a;
    __syncthreads();
    const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= n) return;
    const float4 v = x[i];
    y[i] = {v.x * factor, v.y * factor, v.z * factor, v.w * factor};
}

#ifdef POLYTRAIN_BAD
__global__ __launch_bounds__(kThreads) void narrow_loads(const float* x, float* y, int64_t n) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}

__global__ __launch_bounds__(kThreads) void with_f64(const float4* x, float4* y) {
    float4 v = x[threadIdx.x];
    v.x = static_cast<float>(static_cast<double>(v.x) * 1.1);
    y[threadIdx.x] = v;
}

// The array's index is known at run time only: it lives in local memory.
__global__ __launch_bounds__(kThreads) void with_local_memory(const int* x, float* y) {
    float values[64];
    for (int i = 0; i < 64; ++i) values[(x[i] * 7 + i) & 63] = static_cast<float>(x[i]);
    y[threadIdx.x] = values[x[threadIdx.x] & 63];
}

// 1024 threads leave 64 registers each, which 96 live values don't fit in.
__global__ __launch_bounds__(1024) void spilling(const float* x, float* y) {
    float values[96];
#pragma unroll
    for (int i = 0; i < 96; ++i) values[i] = x[threadIdx.x + 1024 * i];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 96; ++i)
#pragma unroll
        for (int j = 0; j < 96; j += 17) values[i] = fmaf(values[i], values[j], values[95 - i]);
#pragma unroll
    for (int i = 0; i < 96; ++i) y[threadIdx.x + 1024 * i] = values[i];
}

__global__ void no_launch_bounds(const float4* x, float4* y) {
    y[threadIdx.x] = x[threadIdx.x];
}
#endif

}  // namespace polytrain::cuda
