#pragma once
// Status codes of the CUDA libraries become errors that name the call.

#include <cuda_runtime_api.h>

#include "core/error.hpp"

namespace polytrain::cuda {

inline void cuda_check(cudaError_t status, const char* call) {
    if (status != cudaSuccess)
        fail(ExitCode::kInternal, "CUDA: {}: {} ({})", call, cudaGetErrorName(status),
             cudaGetErrorString(status));
}

}  // namespace polytrain::cuda
