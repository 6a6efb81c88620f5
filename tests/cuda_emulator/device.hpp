#pragma once
// CUDA's device language for the host compiler, over execution.hpp: what kernels/cuda/device.hpp
// includes in place of nvcc's own.

#include <cuda_runtime.h>
// The headers above declare types and the run time; what marks device code means nothing here.
#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __launch_bounds__
#undef __forceinline__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __launch_bounds__(...)
#define __grid_constant__
#define __forceinline__ inline
#include <cuda_bf16.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cuda_emulator/execution.hpp"

#define threadIdx (polytrain::emulator::current->index)
#define blockIdx (polytrain::emulator::current->block)
#define blockDim (polytrain::emulator::current->block_size)
#define gridDim (polytrain::emulator::current->grid_size)
#define __syncthreads() polytrain::emulator::sync_threads({__builtin_FILE(), __builtin_LINE()})

#define EMULATOR_PLACE polytrain::emulator::Place place = {__builtin_FILE(), __builtin_LINE()}

inline void __syncwarp(unsigned mask = ~0u, EMULATOR_PLACE) {
    polytrain::emulator::sync_warp(mask, place);
}
template <class T>
T emulated_shuffle(unsigned mask, T value, int source, polytrain::emulator::Place place) {
    static_assert(sizeof(T) <= 16);
    polytrain::emulator::shuffle(mask, &value, sizeof value, source, place);
    return value;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATOR_PLACE) {
    const int lane = polytrain::emulator::current->lane;
    return emulated_shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMULATOR_PLACE) {
    const int lane = polytrain::emulator::current->lane, to = lane ^ bits;
    return emulated_shuffle(mask, value, to / width > lane / width ? lane : to, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, EMULATOR_PLACE) {
    const int lane = polytrain::emulator::current->lane,
              to = (lane & (width - 1)) + static_cast<int>(by);
    return emulated_shuffle(mask, value, to < width ? lane + static_cast<int>(by) : lane, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, EMULATOR_PLACE) {
    const int lane = polytrain::emulator::current->lane,
              to = (lane & (width - 1)) - static_cast<int>(by);
    return emulated_shuffle(mask, value, to >= 0 ? lane - static_cast<int>(by) : lane, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_PLACE) {
    return polytrain::emulator::ballot(mask, predicate != 0, place);
}
inline int __any_sync(unsigned mask, int predicate, EMULATOR_PLACE) {
    return polytrain::emulator::ballot(mask, predicate != 0, place) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EMULATOR_PLACE) {
    return polytrain::emulator::ballot(mask, predicate != 0, place) == mask;
}
inline float __uint_as_float(unsigned bits) {
    return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float x) {
    return std::bit_cast<unsigned>(x);
}
inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline float rsqrtf(float x) {
    return 1.0f / std::sqrt(x);
}
inline double cospi(double x) {
    return std::cos(3.14159265358979323846 * x);
}
inline double sinpi(double x) {
    return std::sin(3.14159265358979323846 * x);
}
inline float __expf(float x) {
    return std::exp(x);
}
inline float __fdividef(float a, float b) {
    return a / b;
}

template <class T>
inline T emulated_atomic_add(T* to, T value) {
    return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}
// Whole numbers only: floating-point sums by atomics depend on the order.
inline int atomicAdd(int* to, int value) {
    return emulated_atomic_add(to, value);
}
inline unsigned atomicAdd(unsigned* to, unsigned value) {
    return emulated_atomic_add(to, value);
}
inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long value) {
    return emulated_atomic_add(to, value);
}

#define SHARED_ARRAY(T, name, count)                                   \
    T* const name = static_cast<T*>(polytrain::emulator::shared_array( \
        []() -> const void* {                                          \
            static const char key = 0;                                 \
            return &key;                                               \
        }(),                                                           \
        (count) * sizeof(T)))
#define DYNAMIC_SHARED(T, name) \
    T* const name = static_cast<T*>(polytrain::emulator::dynamic_shared())

namespace polytrain::cuda {

inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                         EMULATOR_PLACE) {
    emulator::mma_m16n8k16_bf16(d, a, b, place);
}
inline void ldmatrix_x4(uint32_t (&registers)[4], const void* row, EMULATOR_PLACE) {
    emulator::ldmatrix_x4(registers, row, false, place);
}
inline void ldmatrix_x4_transposed(uint32_t (&registers)[4], const void* row, EMULATOR_PLACE) {
    emulator::ldmatrix_x4(registers, row, true, place);
}
inline void cp_async_16(void* shared, const void* global, bool valid = true, EMULATOR_PLACE) {
    emulator::cp_async(shared, global, 16, valid ? 16 : 0, place);
}
inline void cp_async_commit() {
    emulator::cp_async_commit();
}
template <int kGroupsLeft>
inline void cp_async_wait() {
    emulator::cp_async_wait(kGroupsLeft);
}

// 16 bytes at a 16-byte boundary, in one access.
inline uint4 load_16(const void* from, EMULATOR_PLACE) {
    emulator::check_aligned(from, 16, place);
    return *static_cast<const uint4*>(from);
}
inline void store_16(void* to, uint4 value, EMULATOR_PLACE) {
    emulator::check_aligned(to, 16, place);
    *static_cast<uint4*>(to) = value;
}
inline void store_global_16(void* to, uint4 value, EMULATOR_PLACE) {
    store_16(to, value, place);
}

template <class... Parameters, class... Arguments>
cudaError_t launch_kernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                          cudaStream_t stream, Arguments... arguments) {
    std::tuple<std::decay_t<Parameters>...> kept(static_cast<Parameters>(arguments)...);
    int index = 0;
    std::apply(
        [&](const auto&... argument) {
            const auto check = [&](const auto& one) {
                if constexpr (std::is_pointer_v<std::decay_t<decltype(one)>>)
                    emulator::check_kernel_pointer(static_cast<const void*>(one), index);
                ++index;
            };
            (check(argument), ...);
        },
        kept);
    return emulator::launch(reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
                            stream, [kernel, kept] { std::apply(kernel, kept); });
}

}  // namespace polytrain::cuda
