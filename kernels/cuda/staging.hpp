#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>

namespace polytrain::cuda {

// Pinned host memory through which copies to the device go, so that the host need not wait for
// them. A ring of slots: one is used again when the copy out of it is done.
class Staging {
  public:
    Staging() = default;
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // `from` may be reused at once.
    void upload(void* to, const void* from, size_t bytes, cudaStream_t stream);

  private:
    static constexpr size_t kSlot = size_t{1} << 20;
    struct Slot {
        void* data = nullptr;
        cudaEvent_t copied = nullptr;
    };
    Slot& next();

    std::array<Slot, 4> slots_{};
    size_t at_ = 0;
};

}  // namespace polytrain::cuda
