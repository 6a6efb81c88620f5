#pragma once
// NcclWatch: looks after the calls of a communicator that are on their way. A kernel that waits for
// a peer never gives up by itself, and the host waits for the kernel.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "comm/nccl/nccl_check.hpp"
#include "comm/tensor_groups.hpp"
#include "core/clock.hpp"

namespace polytrain {

class NcclWatch {
  public:
    NcclWatch(ncclComm_t comm, DeviceGroup group, int rank, int device);
    ~NcclWatch();
    NcclWatch(const NcclWatch&) = delete;
    NcclWatch& operator=(const NcclWatch&) = delete;

    // A call between two events of its stream: it is watched from the first on, until the second or
    // forget(), which must come before the events are recorded again.
    void add(std::string what, cudaEvent_t begun, cudaEvent_t ended);
    void forget(cudaEvent_t ended);

  private:
    struct Call {
        std::string what;
        cudaEvent_t begun, ended;
        int64_t step;
        double since = -1;  // when it was seen to have begun
    };
    void serve();
    // Throws away what is done; a message if something is amiss.
    std::string look();

    ncclComm_t comm_;
    DeviceGroup group_;
    int rank_, device_;
    const Stopwatch clock_;
    std::mutex mutex_;
    std::condition_variable woken_;
    std::deque<Call> calls_;  // oldest first; under the mutex, as is the next
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace polytrain
