#pragma once
// What the files of the run time share.

#include <cuda_runtime_api.h>

#include <mutex>

namespace polytrain::emulator {

std::recursive_mutex& run_time_mutex();
// Keeps it for cudaGetLastError.
cudaError_t answer(cudaError_t error);
bool is_pinned(const void* data, size_t bytes);

}  // namespace polytrain::emulator
