#pragma once
// RMSNorm of rows that need not lie side by side: what rms_norm and qk_norm share (rms_norm.cu).

#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {

// Rows of `width` elements, `stride` apart in all tensors of the storage type; their rstd lies
// `rstd_stride` apart.
struct NormRows {
    int64_t rows, width, stride, rstd_stride;
    static NormRows of(const Tensor& x_NC) { return {x_NC.dim(0), x_NC.dim(1), x_NC.dim(1), 1}; }
};

// With a residual, its sum with x is normed and left in `sum`.
template <class T>
void run_rms_norm_forward(const DeviceInfo& device, const Stream& stream, const NormRows& in,
                          const T* x, const float* gain, T* y, float* rstd, double eps,
                          const T* residual = nullptr, T* sum = nullptr);
// dx may be dy or dskip, which is added where it is given. `scratch` is of norm_scratch_bytes.
template <class T>
void run_rms_norm_backward(const DeviceInfo& device, const Stream& stream, const NormRows& in,
                           const T* x, const float* gain, const float* rstd, const T* dy, T* dx,
                           float* dgain, float* scratch, const T* dskip = nullptr);
inline size_t norm_scratch_bytes(int64_t rows, int64_t width) {
    return static_cast<size_t>(row_blocks(rows) * width) * sizeof(float);
}

}  // namespace polytrain::cuda
