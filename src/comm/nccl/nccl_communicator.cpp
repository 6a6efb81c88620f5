#include "comm/nccl/nccl_communicator.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "comm/arguments.hpp"
#include "comm/nccl/nccl_check.hpp"
#include "comm/nccl/nccl_watch.hpp"

namespace polytrain {
namespace {

// Returns when the communicator's last call is on its way or done.
void settle(ncclComm_t comm, const char* call) {
    ncclResult_t state = ncclInProgress;
    while (state == ncclInProgress) {
        nccl_check(ncclCommGetAsyncError(comm, &state), call);
        if (state == ncclInProgress) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    nccl_check(state, call);
}

void set_default(const char* name, const char* value) {
    (void)::setenv(name, value, 0);
}

ncclComm_t open(Communicator& host) {
    // Sums have a fixed order by rings alone; calls of several communicators are launched in the
    // order that the host makes them, so that they can't wait for one another in a circle.
    set_default("NCCL_ALGO", "Ring");
    set_default("NCCL_LAUNCH_ORDER_IMPLICIT", "1");
    ncclUniqueId id{};
    if (host.rank() == 0) nccl_check(ncclGetUniqueId(&id), "ncclGetUniqueId");
    host.broadcast(&id, sizeof id, 0, "NCCL's id").wait();
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclComm_t comm = nullptr;
    nccl_check(ncclCommInitRankConfig(&comm, host.size(), id, host.rank(), &config),
               "ncclCommInitRankConfig");
    settle(comm, "ncclCommInitRankConfig");
    return comm;
}

int current_device() {
    int device = 0;
    nccl_cuda_check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}

class NcclCommunicator final : public Communicator {
  public:
    NcclCommunicator(Communicator& host, const DeviceGroup& group, cudaStream_t home)
        : rank_(host.rank()),
          size_(host.size()),
          home_(home),
          comm_(open(host)),
          watch_(std::make_unique<NcclWatch>(comm_, group, rank_, current_device())) {
        int least = 0, greatest = 0;
        nccl_cuda_check(cudaDeviceGetStreamPriorityRange(&least, &greatest),
                        "cudaDeviceGetStreamPriorityRange");
        nccl_cuda_check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest),
                        "cudaStreamCreateWithPriority");
    }
    ~NcclCommunicator() override {
        (void)cudaStreamSynchronize(stream_);
        watch_.reset();
        (void)ncclCommDestroy(comm_);
        (void)cudaStreamDestroy(stream_);
        for (const Events& events : events_)
            for (const cudaEvent_t event : {events.ready, events.begun, events.ended})
                if (event != nullptr) (void)cudaEventDestroy(event);
    }

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    Pending all_reduce(const Tensor& values, Reduce reduce, std::string_view label) override {
        check_reduced(values, label);
        return run("all_reduce", label, [&] {
            nccl_check(
                ncclAllReduce(values.data, values.data, static_cast<size_t>(values.elements()),
                              values.dtype == DType::kF64 ? ncclFloat64 : ncclInt64,
                              reduce == Reduce::kSum ? ncclSum : ncclMax, comm_, stream_),
                "ncclAllReduce");
        });
    }
    Pending all_to_all(const void* send, std::span<const Range> sends, void* receive,
                       std::span<const Range> receives, std::string_view label) override {
        check_all_to_all(sends, receives, rank_, size_, label);
        const auto from = [&](size_t i) {
            return static_cast<const std::byte*>(send) + sends[i].begin;
        };
        const auto to = [&](size_t i) {
            return static_cast<std::byte*>(receive) + receives[i].begin;
        };
        return run("all_to_all", label, [&] {
            const auto own = static_cast<size_t>(rank_);
            if (sends[own].length() > 0)
                nccl_cuda_check(
                    cudaMemcpyAsync(to(own), from(own), static_cast<size_t>(sends[own].length()),
                                    cudaMemcpyDeviceToDevice, stream_),
                    "cudaMemcpyAsync");
            grouped([&] {
                for (int peer = 0; peer < size_; ++peer) {
                    const auto i = static_cast<size_t>(peer);
                    if (peer == rank_) continue;
                    if (sends[i].length() > 0)
                        nccl_check(ncclSend(from(i), static_cast<size_t>(sends[i].length()),
                                            ncclUint8, peer, comm_, stream_),
                                   "ncclSend");
                    if (receives[i].length() > 0)
                        nccl_check(ncclRecv(to(i), static_cast<size_t>(receives[i].length()),
                                            ncclUint8, peer, comm_, stream_),
                                   "ncclRecv");
                }
            });
        });
    }
    Pending all_gather(void* data, std::span<const int64_t> offsets,
                       std::string_view label) override {
        check_offsets(offsets, size_, label);
        return run("all_gather", label, [&] {
            grouped([&] {
                for (int root = 0; root < size_; ++root) {
                    const auto i = static_cast<size_t>(root);
                    broadcast_from(static_cast<std::byte*>(data) + offsets[i],
                                   offsets[i + 1] - offsets[i], root);
                }
            });
        });
    }
    Pending broadcast(void* data, int64_t bytes, int root, std::string_view label) override {
        check_broadcast(bytes, root, size_, label);
        return run("broadcast", label, [&] { broadcast_from(data, bytes, root); });
    }

  private:
    // The stream that the tensors' work is on waits, where the host would.
    class Operation final : public Pending::Operation {
      public:
        Operation(cudaStream_t home, cudaEvent_t ended) : home_(home), ended_(ended) {}
        void wait() override {
            nccl_cuda_check(cudaStreamWaitEvent(home_, ended_, 0), "cudaStreamWaitEvent");
        }
        bool done() override { return cudaEventQuery(ended_) == cudaSuccess; }
        // Its buffers may be used again only after it: the stream is made to wait all the same.
        void abandon() override { (void)cudaStreamWaitEvent(home_, ended_, 0); }

      private:
        cudaStream_t home_;
        cudaEvent_t ended_;
    };
    // Events of calls, in a ring: one is used again when its call is long done.
    struct Events {
        cudaEvent_t ready = nullptr, begun = nullptr, ended = nullptr;
    };

    void broadcast_from(void* data, int64_t bytes, int root) {
        if (bytes > 0)
            nccl_check(ncclBroadcast(data, data, static_cast<size_t>(bytes), ncclUint8, root, comm_,
                                     stream_),
                       "ncclBroadcast");
    }
    template <class F>
    void grouped(F&& calls) {
        nccl_check(ncclGroupStart(), "ncclGroupStart");
        calls();
        nccl_check(ncclGroupEnd(), "ncclGroupEnd");
        settle(comm_, "ncclGroupEnd");
    }
    Events& next_events() {
        Events& events = events_[call_++ % events_.size()];
        const auto make = [](cudaEvent_t& event) {
            if (event == nullptr)
                nccl_cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming),
                                "cudaEventCreateWithFlags");
        };
        if (events.ended != nullptr) {
            nccl_cuda_check(cudaEventSynchronize(events.ended), "cudaEventSynchronize");
            watch_->forget(events.ended);
        }
        make(events.ready);
        make(events.begun);
        make(events.ended);
        return events;
    }
    template <class F>
    Pending run(const char* kind, std::string_view label, F&& calls) {
        const Events& events = next_events();
        const auto record = [](cudaEvent_t event, cudaStream_t stream) {
            nccl_cuda_check(cudaEventRecord(event, stream), "cudaEventRecord");
        };
        record(events.ready, home_);
        nccl_cuda_check(cudaStreamWaitEvent(stream_, events.ready, 0), "cudaStreamWaitEvent");
        record(events.begun, stream_);
        calls();
        settle(comm_, kind);
        record(events.ended, stream_);
        watch_->add(fmt::format("{} '{}'", kind, label), events.begun, events.ended);
        return Pending(std::make_shared<Operation>(home_, events.ended));
    }

    int rank_, size_;
    cudaStream_t home_, stream_ = nullptr;
    ncclComm_t comm_;
    std::unique_ptr<NcclWatch> watch_;
    // More than are ever waited for at once.
    std::array<Events, 64> events_{};
    size_t call_ = 0;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, const DeviceGroup& group,
                                                     StreamHandle stream) {
    return std::make_unique<NcclCommunicator>(host, group, static_cast<cudaStream_t>(stream));
}

}  // namespace polytrain
