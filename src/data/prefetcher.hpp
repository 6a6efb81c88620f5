#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "data/host_batch.hpp"

namespace polytrain {

// Fills batches 0, 1, 2, ... in this order on a thread of its own, some ahead of the one in use, so
// that who takes them seldom waits. What a batch holds is the filler's: it can't depend on time.
class Prefetcher {
  public:
    using Fill = std::function<void(int64_t number, HostBatch& batch)>;

    // `ahead` >= 1 batches of `tokens` tokens each are kept ready. `fill` must stay callable until
    // the destructor returns, and nobody else may call what isn't safe to call beside it.
    Prefetcher(int64_t tokens, int ahead, Fill fill);
    // Waits for the batch that is being filled, not for more.
    ~Prefetcher();
    Prefetcher(const Prefetcher&) = delete;
    Prefetcher& operator=(const Prefetcher&) = delete;

    // The next batch, which is the caller's until the next call. Throws what filling it threw.
    const HostBatch& next();

  private:
    void work();
    HostBatch& slot(int64_t number) { return slots_[static_cast<size_t>(number) % slots_.size()]; }

    const Fill fill_;
    std::vector<HostBatch> slots_;
    std::mutex mutex_;
    std::condition_variable room_, ready_;
    int64_t taken_ = 0;   // calls of next() so far: batches below taken_ - 1 may be written over
    int64_t filled_ = 0;  // batches below it are filled
    std::exception_ptr failure_;  // of batch filled_, the last thing that the thread did
    bool stop_ = false;
    std::thread thread_;  // the last member: it uses all others
};

}  // namespace polytrain
