#pragma once
// What kernels are written against. The same source is compiled by nvcc for the device and by the
// host compiler for the emulator (tests/cuda_emulator), so kernels keep to these rules:
//   * shared memory by SHARED_ARRAY and DYNAMIC_SHARED;
//   * inline PTX only in the wrappers below;
//   * launches only by launch(); no default stream;
//   * no atomics in floating point: every sum has a fixed order.

#ifdef POLYTRAIN_CUDA_EMULATOR
#include "cuda_emulator/device.hpp"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

// `T name[count]` shared by the block, and the memory that the launch adds, 128-byte aligned.
#define SHARED_ARRAY(T, name, count) __shared__ T name[count]
#define DYNAMIC_SHARED(T, name)                                                \
    extern __shared__ __align__(128) unsigned char polytrain_dynamic_shared[]; \
    T* const name = reinterpret_cast<T*>(polytrain_dynamic_shared)

namespace polytrain::cuda {

// d += a b, a 16 x 16 and b 16 x 8 of bf16, in the fragments of PTX's mma.m16n8k16.
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4],
                                             const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},"
        "{%0,%1,%2,%3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 x 8 matrices of 16-bit elements from shared memory: lanes 8 i to 8 i + 7 give the rows of
// matrix i, 16-byte aligned.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&registers)[4], const void* row) {
    const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];\n"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(address)
                 : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&registers)[4], const void* row) {
    const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];\n"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(address)
                 : "memory");
}

// Copies 16 bytes to shared memory beside what follows; 0s where not `valid` (nothing is read
// then).
__device__ __forceinline__ void cp_async_16(void* shared, const void* global, bool valid = true) {
    const auto to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;\n" ::"r"(to), "l"(global),
                 "r"(valid ? 16 : 0)
                 : "memory");
}
__device__ __forceinline__ void cp_async_commit() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}
// Returns when all but the newest kGroupsLeft groups of this thread's copies are there.
template <int kGroupsLeft>
__device__ __forceinline__ void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kGroupsLeft) : "memory");
}

// 16 bytes at a 16-byte boundary, in one access.
__device__ __forceinline__ uint4 load_16(const void* from) {
    return *static_cast<const uint4*>(from);
}
__device__ __forceinline__ void store_16(void* to, uint4 value) {
    *static_cast<uint4*>(to) = value;
}
// The same to global memory. In PTX, for nvcc takes a plain store apart where another branch stores
// the same elements one by one.
__device__ __forceinline__ void store_global_16(void* to, uint4 value) {
    asm volatile("st.global.v4.u32 [%0],{%1,%2,%3,%4};\n" ::"l"(__cvta_generic_to_global(to)),
                 "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w)
                 : "memory");
}

template <class... Parameters, class... Arguments>
cudaError_t launch_kernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                          cudaStream_t stream, Arguments... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

}  // namespace polytrain::cuda
#endif
