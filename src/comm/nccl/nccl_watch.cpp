#include "comm/nccl/nccl_watch.hpp"

#include <chrono>
#include <utility>

namespace polytrain {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(200);

}  // namespace

NcclWatch::NcclWatch(ncclComm_t comm, DeviceGroup group, int rank, int device)
    : comm_(comm), group_(std::move(group)), rank_(rank), device_(device), thread_([this] {
          serve();
      }) {}

NcclWatch::~NcclWatch() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    woken_.notify_all();
    thread_.join();
}

void NcclWatch::add(std::string what, cudaEvent_t begun, cudaEvent_t ended) {
    const std::lock_guard lock(mutex_);
    calls_.push_back({std::move(what), begun, ended, group_.step()});
}

void NcclWatch::forget(cudaEvent_t ended) {
    const std::lock_guard lock(mutex_);
    std::erase_if(calls_, [&](const Call& call) { return call.ended == ended; });
}

std::string NcclWatch::look() {
    while (!calls_.empty() && cudaEventQuery(calls_.front().ended) == cudaSuccess)
        calls_.pop_front();
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
    const bool is_broken =
        asked != ncclSuccess || (state != ncclSuccess && state != ncclInProgress);
    const std::string where = calls_.empty()
                                  ? fmt::format("group '{}'", group_.name)
                                  : fmt::format("{} of group '{}', step {}", calls_.front().what,
                                                group_.name, calls_.front().step);
    if (is_broken)
        return fmt::format("rank {}: NCCL: {} in {}", rank_,
                           ncclGetErrorString(asked != ncclSuccess ? asked : state), where);
    if (calls_.empty() || group_.timeout_s <= 0) return {};
    Call& first = calls_.front();
    if (first.since < 0) {
        if (cudaEventQuery(first.begun) == cudaSuccess) first.since = clock_.seconds();
        return {};
    }
    const double waited = clock_.seconds() - first.since;
    if (waited < group_.timeout_s) return {};
    return fmt::format(
        "rank {} waited {:.1f} s in {}: a peer is lost, or hangs (parallel.timeout_s is {:g})",
        rank_, waited, where, group_.timeout_s);
}

void NcclWatch::serve() {
    (void)cudaSetDevice(device_);
    std::unique_lock lock(mutex_);
    while (!stop_) {
        if (const std::string message = look(); !message.empty()) {
            // Frees the kernel that waits, and with it the host.
            (void)ncclCommAbort(comm_);
            group_.lost(message);
            return;
        }
        woken_.wait_for(lock, kPeriod);
    }
}

}  // namespace polytrain
