#pragma once
// The CUDA backend, a shared library of its own that is opened when a run asks for it: the program
// starts where there is no CUDA.

#include <memory>
#include <string>

#include "tensor/backend.hpp"

namespace polytrain {

// Raised with every change of Backend or of an op's contract.
inline constexpr int kBackendVersion = 5;

// The library's entry, "polytrain_cuda_backend": the caller owns what it returns. Null: there is
// none, and `why` says so in at most `why_bytes` - 1 characters.
using BackendEntry = Backend*(int version, int local_rank, char* why, size_t why_bytes);

// Opens libpolytrain_cuda.so: that of POLYTRAIN_CUDA_LIBRARY where this is set, else the one beside
// the program or in ../lib. The device is that of the rank's number on its machine. Null where
// there is none; `why` then says what is missing.
std::unique_ptr<Backend> open_cuda_backend(int local_rank, std::string& why);

}  // namespace polytrain
