#include "comm/mpi/mpi_communicator.hpp"

#include <fmt/format.h>

#include <numeric>
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

std::vector<int64_t> lengths_of(std::span<const Range> ranges) {
    std::vector<int64_t> lengths;
    for (const Range& range : ranges) lengths.push_back(range.length());
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

Pending MpiCommunicator::all_to_all(const void* send, std::span<const Range> sends, void* receive,
                                    std::span<const Range> receives, std::string_view label) {
    check_all_to_all(sends, receives, rank(), size(), label);
    Call call{"all_to_all", std::string(label), ""};
    call.sends = lengths_of(sends);
    call.receives = lengths_of(receives);
    call.bytes = std::accumulate(call.sends.begin(), call.sends.end(), int64_t{0});
    return post(std::move(call),
                [this, send, receive, from = std::vector<Range>(sends.begin(), sends.end()),
                 to = std::vector<Range>(receives.begin(), receives.end())](Requests& requests) {
                    for_each_peer(rank(), size(), [&](size_t peer) {
                        requests.receive(static_cast<char*>(receive) + to[peer].begin,
                                         to[peer].length(), static_cast<int>(peer));
                    });
                    for_each_peer(rank(), size(), [&](size_t peer) {
                        requests.send(static_cast<const char*>(send) + from[peer].begin,
                                      from[peer].length(), static_cast<int>(peer));
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
