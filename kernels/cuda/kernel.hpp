#pragma once
// What all kernels share: from tensors to typed pointers, launches, packs of 16 bytes, and sums
// over a warp and a block.

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device_info.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cuda {

using BFloat16 = __nv_bfloat16;

// The device's element type of a storage type: calls f(float{}) or f(BFloat16{}).
template <class F>
void with_storage(const Tensor& tensor, F&& f) {
    if (tensor.dtype == DType::kBf16)
        f(BFloat16{});
    else
        f(float{});
}
inline bool is_storage(const Tensor& tensor) {
    return tensor.dtype == DType::kF32 || tensor.dtype == DType::kBf16;
}
template <class T>
T* data_of(const Tensor& tensor) {
    return static_cast<T*>(tensor.data);
}

// Adds an op's kernel by the name "cuda", for f32 and bf16 of the tensor `storage`.
template <class Op, class Run>
void add_cuda(OpTable& table, Tensor Op::*storage, Run run,
              std::function<size_t(const Op&)> scratch_bytes = {}) {
    table.add<Op>({"cuda", [storage](const Op& op) { return is_storage(op.*storage); },
                   std::move(run), std::move(scratch_bytes)});
}

struct Launch {
    int64_t blocks = 0;
    int threads = 0;
    size_t shared_bytes = 0;
};
// Nothing is launched for 0 blocks.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), Launch shape, const Stream& stream,
            Arguments... arguments) {
    if (shape.blocks == 0) return;
    if (shape.shared_bytes > (size_t{48} << 10))
        cuda_check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(shape.shared_bytes)),
                   name);
    cuda_check(launch_kernel(kernel, dim3(static_cast<unsigned>(shape.blocks)),
                             dim3(static_cast<unsigned>(shape.threads)), shape.shared_bytes,
                             static_cast<cudaStream_t>(stream.handle()), arguments...),
               name);
}

// Blocks of `threads` that give each element of `count` a thread, `each` elements to a thread.
inline Launch covering(int64_t count, int64_t each = 1, int threads = 256) {
    const int64_t per_block = each * threads;
    return {(count + per_block - 1) / per_block, threads};
}

// Elements in 16 bytes.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

__device__ __forceinline__ float to_float(float x) {
    return x;
}
__device__ __forceinline__ float to_float(BFloat16 x) {
    return __bfloat162float(x);
}
template <class T>
__device__ __forceinline__ T from_float(float x) {
    if constexpr (sizeof(T) == sizeof(float))
        return x;
    else
        return __float2bfloat16_rn(x);
}

// 16 bytes of elements at a 16-byte boundary as f32, and back with one rounding.
__device__ __forceinline__ void unpack(uint4 raw, float (&values)[4]) {
    values[0] = __uint_as_float(raw.x);
    values[1] = __uint_as_float(raw.y);
    values[2] = __uint_as_float(raw.z);
    values[3] = __uint_as_float(raw.w);
}
__device__ __forceinline__ void unpack(uint4 raw, float (&values)[8]) {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        values[2 * i] = __uint_as_float(words[i] << 16);
        values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
}
__device__ __forceinline__ uint4 pack(const float (&values)[4]) {
    return {__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]),
            __float_as_uint(values[3])};
}
__device__ __forceinline__ unsigned pair_of(float low, float high) {
    return static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16_rn(low))) |
           static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16_rn(high))) << 16;
}
__device__ __forceinline__ uint4 pack(const float (&values)[8]) {
    return {pair_of(values[0], values[1]), pair_of(values[2], values[3]),
            pair_of(values[4], values[5]), pair_of(values[6], values[7])};
}

__device__ __forceinline__ bool is_aligned(const void* address) {
    return (reinterpret_cast<uintptr_t>(address) & 15) == 0;
}
// `count` elements, kPack<T> at most, as f32; what is past them is 0. One access where they are a
// whole pack at a boundary.
template <class T>
__device__ __forceinline__ void load_pack(const T* from, int64_t count, float (&values)[kPack<T>]) {
    if (count >= kPack<T> && is_aligned(from)) {
        unpack(load_16(from), values);
        return;
    }
#pragma unroll
    for (int i = 0; i < kPack<T>; ++i) values[i] = i < count ? to_float(from[i]) : 0.0f;
}
template <class T>
__device__ __forceinline__ void store_pack(T* to, int64_t count, const float (&values)[kPack<T>]) {
    if (count >= kPack<T> && is_aligned(to)) {
        store_global_16(to, pack(values));
        return;
    }
#pragma unroll
    for (int i = 0; i < kPack<T>; ++i)
        if (i < count) to[i] = from_float<T>(values[i]);
}
// The same 16 bytes as they are.
template <class T>
__device__ __forceinline__ uint4 load_raw(const T* from, int64_t count) {
    if (count >= kPack<T> && is_aligned(from)) return load_16(from);
    float values[kPack<T>];
#pragma unroll
    for (int i = 0; i < kPack<T>; ++i) values[i] = i < count ? to_float(from[i]) : 0.0f;
    return pack(values);
}
// The same of kCount elements, a multiple of kPack<T>.
template <int kCount, class T>
__device__ __forceinline__ void load_packs(const T* from, int64_t count, float (&values)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i += kPack<T>) {
        float part[kPack<T>];
        load_pack(from + i, count - i, part);
#pragma unroll
        for (int j = 0; j < kPack<T>; ++j) values[i + j] = part[j];
    }
}
template <int kCount, class T>
__device__ __forceinline__ void store_packs(T* to, int64_t count, const float (&values)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i += kPack<T>) {
        float part[kPack<T>];
#pragma unroll
        for (int j = 0; j < kPack<T>; ++j) part[j] = values[i + j];
        store_pack(to + i, count - i, part);
    }
}
// kPack<T> floats of an array that belongs to packs of T, in accesses of 16 bytes; `from` is at a
// boundary and may be read to the pack's end.
template <int kCount>
__device__ __forceinline__ void load_floats(const float* from, float (&values)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
        const uint4 raw = load_16(from + i);
        values[i] = __uint_as_float(raw.x);
        values[i + 1] = __uint_as_float(raw.y);
        values[i + 2] = __uint_as_float(raw.z);
        values[i + 3] = __uint_as_float(raw.w);
    }
}
template <int kCount>
__device__ __forceinline__ void store_floats(float* to, const float (&values)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i += 4)
        store_global_16(to + i, {__float_as_uint(values[i]), __float_as_uint(values[i + 1]),
                                 __float_as_uint(values[i + 2]), __float_as_uint(values[i + 3])});
}

// Sums over all lanes, which all get it; a fixed tree.
template <class V>
__device__ __forceinline__ V warp_sum(V x) {
#pragma unroll
    for (int bits = 16; bits > 0; bits /= 2) x += __shfl_xor_sync(~0u, x, bits);
    return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int bits = 16; bits > 0; bits /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, bits));
    return x;
}
// Sums kCount numbers over the block, whose size is a multiple of 32; all threads get them.
// `shared` holds 32 * kCount of them and may be used again after the next barrier.
template <class V, int kCount>
__device__ __forceinline__ void block_sums(V (&x)[kCount], V* shared) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int warps = static_cast<int>(blockDim.x) / 32;
#pragma unroll
    for (int i = 0; i < kCount; ++i) x[i] = warp_sum(x[i]);
    if (warps == 1) return;
    if (lane == 0) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) shared[i * 32 + warp] = x[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) x[i] = warp_sum(lane < warps ? shared[i * 32 + lane] : V(0));
}

// The highest of the block's; `shared` holds 32 floats, as with block_sums.
__device__ __forceinline__ float block_max(float x, float* shared) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    x = warp_max(x);
    if (blockDim.x == 32) return x;
    if (lane == 0) shared[warp] = x;
    __syncthreads();
    return warp_max(shared[lane < static_cast<int>(blockDim.x) / 32 ? lane : 0]);
}

// Rows are shared out to at most so many blocks where these sum over rows: a number of its own, not
// the device's, so that sums have the same bits on all.
inline constexpr int64_t kRowBlocks = 256;
inline int64_t row_blocks(int64_t rows) {
    return std::min(rows, kRowBlocks);
}
// Threads that share a row of `packs` packs, about as many packs to each.
inline int row_threads(int64_t packs, int most = 512) {
    const int64_t turns = std::max<int64_t>((packs + most - 1) / most, 1);
    return static_cast<int>(std::max<int64_t>(((packs + turns - 1) / turns + 31) / 32 * 32, 32));
}

// to_i += sum_p parts_pi, in an order that P alone decides. The second stage of sums over rows.
void add_parts(const float* parts_PC, int64_t parts, int64_t width, float* to_C,
               const Stream& stream);

}  // namespace polytrain::cuda
