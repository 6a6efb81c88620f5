#include "comm/mpi/mpi_communicator.hpp"

#include <fmt/format.h>

#include <utility>

#include "comm/arguments.hpp"

namespace polytrain {
namespace {

// Calls each(peer) for all other ranks, the next one first, so that not all send to rank 0 at once.
template <class Each>
void for_each_peer(int rank, int ranks, const Each& each) {
    for (int i = 1; i < ranks; ++i) each(static_cast<size_t>((rank + i) % ranks));
}

std::vector<int64_t> copy_of(std::span<const int64_t> offsets) {
    return {offsets.begin(), offsets.end()};
}

std::vector<int64_t> lengths_of(std::span<const int64_t> offsets) {
    std::vector<int64_t> lengths;
    for (size_t i = 1; i < offsets.size(); ++i) lengths.push_back(offsets[i] - offsets[i - 1]);
    return lengths;
}

}  // namespace

Pending MpiCommunicator::post(Call call, MpiOperation::Start start) {
    return Pending(engine_.post(group_, std::move(call), std::move(start)));
}

Pending MpiCommunicator::all_reduce(const Tensor& values, Reduce reduce, std::string_view label) {
    check_reduced(values, label);
    Call call{"all_reduce", std::string(label),
              fmt::format("{} of {} {}", reduce == Reduce::kSum ? "sum" : "max", values.elements(),
                          name_of(values.dtype))};
    call.bytes = static_cast<int64_t>(values.bytes());
    return post(std::move(call), [values, reduce](Requests& requests) {
        requests.all_reduce(values.data, values.elements(),
                            values.dtype == DType::kI64 ? MPI_INT64_T : MPI_DOUBLE,
                            reduce == Reduce::kSum ? MPI_SUM : MPI_MAX);
    });
}

Pending MpiCommunicator::all_to_all(const void* send, std::span<const int64_t> send_offsets,
                                    void* receive, std::span<const int64_t> receive_offsets,
                                    std::string_view label) {
    check_offsets(send_offsets, size(), label);
    check_offsets(receive_offsets, size(), label);
    check_own(send_offsets, receive_offsets, rank(), label);
    Call call{"all_to_all", std::string(label), ""};
    call.bytes = send_offsets.back() - send_offsets.front();
    call.sends = lengths_of(send_offsets);
    call.receives = lengths_of(receive_offsets);
    return post(std::move(call), [this, send, receive, from = copy_of(send_offsets),
                                  to = copy_of(receive_offsets)](Requests& requests) {
        for_each_peer(rank(), size(), [&](size_t peer) {
            requests.receive(static_cast<char*>(receive) + to[peer], to[peer + 1] - to[peer],
                             static_cast<int>(peer));
        });
        for_each_peer(rank(), size(), [&](size_t peer) {
            requests.send(static_cast<const char*>(send) + from[peer], from[peer + 1] - from[peer],
                          static_cast<int>(peer));
        });
        copy_own(send, from, receive, to, rank());
    });
}

Pending MpiCommunicator::all_gather(void* data, std::span<const int64_t> offsets,
                                    std::string_view label) {
    check_offsets(offsets, size(), label);
    uint64_t shape = 0;
    for (const int64_t offset : offsets) shape = shape * 1000003 + static_cast<uint64_t>(offset);
    const int64_t total = offsets.back() - offsets.front();
    Call call{"all_gather", std::string(label),
              fmt::format("{} bytes, offsets' hash {:016x}", total, shape)};
    const auto own = static_cast<size_t>(rank());
    call.bytes = offsets[own + 1] - offsets[own];
    return post(std::move(call), [this, data, own, at = copy_of(offsets)](Requests& requests) {
        char* const bytes = static_cast<char*>(data);
        for_each_peer(rank(), size(), [&](size_t peer) {
            requests.receive(bytes + at[peer], at[peer + 1] - at[peer], static_cast<int>(peer));
        });
        for_each_peer(rank(), size(), [&](size_t peer) {
            requests.send(bytes + at[own], at[own + 1] - at[own], static_cast<int>(peer));
        });
    });
}

Pending MpiCommunicator::broadcast(void* data, int64_t bytes, int root, std::string_view label) {
    check_broadcast(bytes, root, size(), label);
    Call call{"broadcast", std::string(label), fmt::format("{} bytes from rank {}", bytes, root)};
    call.bytes = bytes;
    return post(std::move(call),
                [data, bytes, root](Requests& requests) { requests.broadcast(data, bytes, root); });
}

}  // namespace polytrain
