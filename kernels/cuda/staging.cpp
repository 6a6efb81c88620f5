#include "kernels/cuda/staging.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/check.hpp"

namespace polytrain::cuda {

Staging::~Staging() {
    for (const Slot& slot : slots_) {
        if (slot.copied != nullptr) (void)cudaEventDestroy(slot.copied);
        if (slot.data != nullptr) (void)cudaFreeHost(slot.data);
    }
}

Staging::Slot& Staging::next() {
    Slot& slot = slots_[at_];
    at_ = (at_ + 1) % slots_.size();
    if (slot.data == nullptr) {
        cuda_check(cudaMallocHost(&slot.data, kSlot), "cudaMallocHost");
        cuda_check(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming),
                   "cudaEventCreateWithFlags");
    } else {
        cuda_check(cudaEventSynchronize(slot.copied), "cudaEventSynchronize");
    }
    return slot;
}

void Staging::upload(void* to, const void* from, size_t bytes, cudaStream_t stream) {
    for (size_t done = 0; done < bytes; done += kSlot) {
        const size_t part = std::min(kSlot, bytes - done);
        Slot& slot = next();
        std::memcpy(slot.data, static_cast<const std::byte*>(from) + done, part);
        cuda_check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, slot.data, part,
                                   cudaMemcpyHostToDevice, stream),
                   "cudaMemcpyAsync to the device");
        cuda_check(cudaEventRecord(slot.copied, stream), "cudaEventRecord");
    }
}

}  // namespace polytrain::cuda
