#pragma once
// The CPU as a backend. Registration header: included by src/app and tests alone.

#include <memory>

#include "tensor/backend.hpp"

namespace polytrain {

// threads >= 1: the pool that the CPU kernels share.
std::unique_ptr<Backend> make_cpu_backend(int threads);

// Whether products can use bf16 instructions of this processor (AVX512-BF16, AMX); oneDNN's
// ONEDNN_MAX_CPU_ISA may forbid them.
bool cpu_has_bf16();

}  // namespace polytrain
