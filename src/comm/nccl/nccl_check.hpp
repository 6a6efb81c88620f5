#pragma once
// Status codes of NCCL and of CUDA's run time become errors that name the call.

#include <cuda_runtime_api.h>
#include <nccl.h>

#include "core/error.hpp"

namespace polytrain {

// A call on its way is no error: who made it asks the communicator.
inline void nccl_check(ncclResult_t status, const char* call) {
    if (status != ncclSuccess && status != ncclInProgress)
        fail(ExitCode::kPeerLost, "NCCL: {}: {}", call, ncclGetErrorString(status));
}
inline void nccl_cuda_check(cudaError_t status, const char* call) {
    if (status != cudaSuccess)
        fail(ExitCode::kInternal, "CUDA: {}: {}", call, cudaGetErrorString(status));
}

}  // namespace polytrain
