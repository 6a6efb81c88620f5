// Of NCCL what PolyTrain uses, over sockets between the processes of one machine. Stricter than the
// library: peers must call the same, of the same sizes, in the same order, and everything that
// PolyTrain doesn't use ends the process.

#include <nccl.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/peers.hpp"

using namespace polytrain::emulator;

struct ncclComm {
    std::unique_ptr<Peers> peers;
    bool is_lost = false, is_aborted = false;
    int starting = 2;                      // questions that are answered "in progress" first
    std::vector<uint64_t> sent, received;  // messages, by peer
};

namespace {

// What goes before a message, and must be what its receiver expects.
struct Header {
    uint64_t number, kind, bytes;
    bool operator==(const Header&) const = default;
};

// A message on its way.
struct Transfer {
    int peer;
    bool sends;
    Header header;
    void* data;
    size_t done = 0;  // of header and data
    Header seen{};
};

struct Call {
    ncclComm* comm;
    cudaStream_t stream;
    std::vector<Transfer> transfers;
    std::function<void()> finish;
};

thread_local int group_depth = 0;
thread_local std::vector<Call> group;

enum Kind : uint64_t { kPoint = 1, kBroadcast = 2, kAllReduce = 3 };

// True when it is done.
bool progress(ncclComm& comm, Transfer& t) {
    const size_t total = sizeof(Header) + t.header.bytes;
    while (t.done < total) {
        const bool in_header = t.done < sizeof(Header);
        auto* base = in_header ? reinterpret_cast<std::byte*>(t.sends ? &t.header : &t.seen)
                               : static_cast<std::byte*>(t.data) - sizeof(Header);
        const size_t left = (in_header ? sizeof(Header) : total) - t.done;
        const int64_t moved = t.sends ? comm.peers->send(t.peer, base + t.done, left)
                                      : comm.peers->receive(t.peer, base + t.done, left);
        if (moved < 0) {
            comm.is_lost = true;
            return false;
        }
        if (moved == 0) return false;
        t.done += static_cast<size_t>(moved);
        if (!t.sends && t.done == sizeof(Header) && t.seen != t.header)
            die("NCCL: rank %d expects message %llu of kind %llu, %llu bytes, of rank %d; it sends "
                "%llu of kind %llu, %llu bytes",
                comm.peers->rank(), static_cast<unsigned long long>(t.header.number),
                static_cast<unsigned long long>(t.header.kind),
                static_cast<unsigned long long>(t.header.bytes), t.peer,
                static_cast<unsigned long long>(t.seen.number),
                static_cast<unsigned long long>(t.seen.kind),
                static_cast<unsigned long long>(t.seen.bytes));
    }
    return true;
}

// Messages to and from one peer in their order, those of different peers beside one another.
bool progress_all(ncclComm& comm, std::vector<Transfer>& transfers) {
    bool all = true;
    for (int peer = 0; peer < comm.peers->size(); ++peer)
        for (const bool sends : {true, false})
            for (Transfer& t : transfers)
                if (t.peer == peer && t.sends == sends && !progress(comm, t)) {
                    all = false;
                    break;
                }
    return all;
}

void queue(const std::vector<Call>& calls) {
    struct Work {
        ncclComm* comm;
        std::vector<Transfer> transfers;
        std::vector<std::function<void()>> finish;
    };
    auto work = std::make_shared<Work>();
    work->comm = calls[0].comm;
    for (const Call& call : calls) {
        if (call.comm != calls[0].comm || call.stream != calls[0].stream)
            die("NCCL: a group over several communicators or streams");
        for (const Transfer& t : call.transfers) {
            Transfer& added = work->transfers.emplace_back(t);
            auto& number =
                (t.sends ? call.comm->sent : call.comm->received)[static_cast<size_t>(t.peer)];
            added.header.number = number++;
        }
        if (call.finish) work->finish.push_back(call.finish);
    }
    enqueue_until(calls[0].stream, [work] {
        if (work->comm->is_aborted) return true;
        if (!progress_all(*work->comm, work->transfers)) return false;
        for (const Transfer& t : work->transfers)
            if (t.sends)
                note_read(t.data, t.header.bytes);
            else
                note_write(t.data, t.header.bytes);
        for (const auto& finish : work->finish) finish();
        return true;
    });
}

ncclResult_t call(Call made) {
    if (group_depth > 0)
        group.push_back(std::move(made));
    else
        queue({std::move(made)});
    return ncclInProgress;
}

Transfer transfer(int peer, bool sends, Kind kind, const void* data, size_t bytes) {
    return {peer, sends, {0, kind, bytes}, const_cast<void*>(data)};
}

void check_type(ncclDataType_t type, ncclDataType_t wanted, const char* what) {
    if (type != wanted) die("%s of a type that PolyTrain doesn't use", what);
}

template <class T>
void reduce(T* values, const T* terms, size_t count, ncclRedOp_t op) {
    for (size_t i = 0; i < count; ++i)
        values[i] = op == ncclSum ? values[i] + terms[i] : std::max(values[i], terms[i]);
}

}  // namespace

extern "C" {

const char* ncclGetErrorString(ncclResult_t result) {
    return result == ncclRemoteError ? "a peer is lost"
           : result == ncclSuccess   ? "no error"
                                     : "error";
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
    *id = {};
    const std::string folder = Peers::make_folder();
    std::memcpy(id->internal, folder.c_str(), folder.size() + 1);
    return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
    if (config->blocking != 0) die("ncclCommInitRankConfig: blocking");
    auto made = std::make_unique<ncclComm>();
    made->peers = std::make_unique<Peers>(id.internal, ranks, rank);
    made->sent.resize(static_cast<size_t>(ranks));
    made->received.resize(static_cast<size_t>(ranks));
    *comm = made.release();
    return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
    *state = comm->is_lost ? ncclRemoteError : ncclSuccess;
    if (comm->starting > 0) {
        --comm->starting;
        *state = ncclInProgress;
    }
    return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    delete comm;
    return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
    comm->is_aborted = true;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
    ++group_depth;
    return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
    if (--group_depth > 0) return ncclSuccess;
    if (!group.empty()) queue(group);
    group.clear();
    return ncclInProgress;
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
    check_type(type, ncclUint8, "ncclSend");
    check_device_range(data, count, "ncclSend");
    if (group_depth == 0) die("ncclSend outside a group: peers would wait for one another");
    return call({comm, stream, {transfer(peer, true, kPoint, data, count)}, {}});
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
    check_type(type, ncclUint8, "ncclRecv");
    check_device_range(data, count, "ncclRecv");
    if (group_depth == 0) die("ncclRecv outside a group: peers would wait for one another");
    return call({comm, stream, {transfer(peer, false, kPoint, data, count)}, {}});
}
ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
    check_type(type, ncclUint8, "ncclBroadcast");
    check_device_range(to, count, "ncclBroadcast");
    if (from != to) die("ncclBroadcast not in place");
    Call made{comm, stream, {}, {}};
    if (comm->peers->rank() != root)
        made.transfers.push_back(transfer(root, false, kBroadcast, to, count));
    else
        for (int peer = 0; peer < comm->peers->size(); ++peer)
            if (peer != root) made.transfers.push_back(transfer(peer, true, kBroadcast, to, count));
    return call(std::move(made));
}
ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
    if ((type != ncclFloat64 && type != ncclInt64) || (op != ncclSum && op != ncclMax))
        die("ncclAllReduce of a type or operation that PolyTrain doesn't use");
    const size_t bytes = count * 8;
    check_device_range(to, bytes, "ncclAllReduce");
    if (from != to) die("ncclAllReduce not in place");
    const int ranks = comm->peers->size(), own = comm->peers->rank();
    // Every rank's terms, then their sum in the order of ranks.
    auto terms = std::make_shared<std::vector<std::vector<uint64_t>>>(static_cast<size_t>(ranks),
                                                                      std::vector<uint64_t>(count));
    Call made{comm, stream, {}, {}};
    for (int peer = 0; peer < ranks; ++peer) {
        if (peer == own) continue;
        made.transfers.push_back(transfer(peer, true, kAllReduce, to, bytes));
        made.transfers.push_back(
            transfer(peer, false, kAllReduce, (*terms)[static_cast<size_t>(peer)].data(), bytes));
    }
    made.finish = [=] {
        copy_bytes((*terms)[static_cast<size_t>(own)].data(), to, bytes);
        copy_bytes(to, (*terms)[0].data(), bytes);
        note_write(to, bytes);
        for (size_t rank = 1; rank < terms->size(); ++rank) {
            const void* more = (*terms)[rank].data();
            if (type == ncclFloat64)
                reduce(static_cast<double*>(to), static_cast<const double*>(more), count, op);
            else
                reduce(static_cast<int64_t*>(to), static_cast<const int64_t*>(more), count, op);
        }
    };
    return call(std::move(made));
}

}  // extern "C"
