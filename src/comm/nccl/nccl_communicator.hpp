#pragma once
// Communicator over NCCL, for device memory (comm/tensor_groups.hpp has the contract).

#include <memory>

#include "comm/communicator.hpp"
#include "comm/tensor_groups.hpp"

namespace polytrain {

// Of the ranks of `host`, on this thread's CUDA device; it follows `stream`, which must outlive it.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, const DeviceGroup& group,
                                                     StreamHandle stream);

}  // namespace polytrain
