#pragma once
// The activations of kernels/common/activations over float, and what launches of them share.

#include <cmath>

#include "kernels/cuda/kernel.hpp"
#include "ops/activation.hpp"

namespace polytrain::cuda {

// The row family's kernels (activation_rows.cu).
void run_row_activation(const ActivationForward& op, const DeviceInfo& device,
                        const Stream& stream);
void run_row_activation(const ActivationBackward& op, const DeviceInfo& device,
                        const Stream& stream);
size_t row_activation_scratch(const ActivationBackward& op);

namespace {

__host__ __device__ __forceinline__ float max_of(float a, float b) {
    return a > b ? a : b;
}
__host__ __device__ __forceinline__ float if_positive(float x, float a, float b) {
    return x > 0 ? a : b;
}
__host__ __device__ __forceinline__ float exp_of(float x) {
    return expf(x);
}
__host__ __device__ __forceinline__ float erfc_of(float x) {
    return erfcf(x);
}
#define VALUE_FN __host__ __device__ __forceinline__
#include "kernels/common/activations/list.hpp"

// Run-time storage and gating of an activation's op: calls f.template operator()<T, kGated>().
template <class F>
void with_form(const Tensor& storage, bool gated, const F& f) {
    with_storage(storage, [&](auto t) {
        if (gated)
            f.template operator()<decltype(t), true>();
        else
            f.template operator()<decltype(t), false>();
    });
}

}  // namespace
}  // namespace polytrain::cuda
