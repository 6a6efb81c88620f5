#pragma once
// Work that is queued again and again with the same tensors, as one where the device can: of many
// short kernels most of the time would else go into launching them.

#include <functional>

#include "tensor/backend.hpp"

namespace polytrain {

class RepeatedWork {
  public:
    // `records` false: always queued as it is.
    RepeatedWork(const Stream& stream, bool records) : stream_(stream), records_(records) {}
    ~RepeatedWork();
    RepeatedWork(const RepeatedWork&) = delete;
    RepeatedWork& operator=(const RepeatedWork&) = delete;

    // Queues what `queue` queues, always the same, under Backend::record's conditions. The first
    // time as it is, so that kernels are loaded and libraries have chosen; the second time it is
    // recorded. Where that fails, a warning says why, and it goes on being queued as it is.
    void run(const std::function<void()>& queue);

    bool is_recorded() const { return recording_ != nullptr; }

  private:
    const Stream& stream_;
    bool records_, ran_ = false;
    RecordingHandle recording_ = nullptr;
};

}  // namespace polytrain
