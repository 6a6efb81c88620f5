// The run time: error codes of launches and allocations, events, orders of work.

#include <atomic>

#include "emulator/device_memory.hpp"
#include "support/catch.hpp"

using namespace polytrain::emulator;
namespace cuda = polytrain::cuda;

namespace {

void nothing(int* data) {
    DYNAMIC_SHARED(int, shared);
    if (threadIdx.x != 0) return;
    shared[0] = 1;
    if (data != nullptr) data[0] = shared[0];
}
cudaError_t launched(dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream) {
    int* const data = nullptr;
    return cuda::launch_kernel(nothing, grid, block, shared_bytes, stream, data);
}

}  // namespace

TEST_CASE("emulator: launches over a device's limits fail with CUDA's codes") {
    const OwnStream stream;
    CHECK(launched(dim3(1), dim3(1024), 4, stream) == cudaSuccess);
    CHECK(launched(dim3(1), dim3(1025), 4, stream) == cudaErrorInvalidConfiguration);
    CHECK(launched(dim3(1), dim3(32, 32, 2), 4, stream) == cudaErrorInvalidConfiguration);
    CHECK(launched(dim3(1), dim3(1, 1, 65), 4, stream) == cudaErrorInvalidConfiguration);
    CHECK(launched(dim3(0), dim3(32), 4, stream) == cudaErrorInvalidConfiguration);
    CHECK(launched(dim3(1, 65536), dim3(32), 4, stream) == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("emulator: more than 48 KiB of dynamic shared memory is to be asked for") {
    const OwnStream stream;
    const size_t most = size_t{227} << 10, free = size_t{48} << 10;
    const auto* kernel = reinterpret_cast<const void*>(nothing);
    const auto allow = [&](size_t bytes) {
        return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(bytes));
    };
    CHECK(launched(dim3(1), dim3(32), free, stream) == cudaSuccess);
    CHECK(launched(dim3(1), dim3(32), free + 1, stream) == cudaErrorInvalidValue);
    CHECK(allow(most + 1) == cudaErrorInvalidValue);
    CHECK(allow(most) == cudaSuccess);
    CHECK(launched(dim3(1), dim3(32), most, stream) == cudaSuccess);
    CHECK(launched(dim3(1), dim3(32), most + 1, stream) == cudaErrorInvalidValue);
    (void)cudaGetLastError();
}

TEST_CASE("emulator: device memory runs out, and comes back") {
    size_t free = 0, total = 0, after = 0;
    must(cudaMemGetInfo(&free, &total));
    void* data = nullptr;
    CHECK(cudaMalloc(&data, total + 1) == cudaErrorMemoryAllocation);
    CHECK(data == nullptr);
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
    {
        const DeviceArray<char> some(1000);
        must(cudaMemGetInfo(&after, &total));
        CHECK(after == free - 1000);
    }
    must(cudaMemGetInfo(&after, &total));
    CHECK(after == free);
}

TEST_CASE("emulator: two streams with events, back and forth, in any order") {
    for (const bool lazy : {false, true})
        for (uint64_t seed = 1; seed <= 20; ++seed) {
            set_schedule({seed, true, lazy});
            const OwnStream streams[2];
            const OwnEvent turn;
            const DeviceArray<int> number(std::vector<int>{1}, streams[0]);
            int* const data = number.data();
            for (int i = 0; i < 8; ++i) {
                const OwnStream& stream = streams[i % 2];
                if (i > 0) must(cudaStreamWaitEvent(stream, turn, 0));
                run_in_block(stream, 1, [=] { *data = i % 2 == 0 ? *data + 3 : *data * 2; });
                must(cudaEventRecord(turn, stream));
            }
            must(cudaEventSynchronize(turn));
            CHECK(number.read(streams[0])[0] == ((((1 + 3) * 2 + 3) * 2 + 3) * 2 + 3) * 2);
        }
    set_schedule({});
}

TEST_CASE("emulator: work that goes on elsewhere holds its stream alone") {
    for (const bool lazy : {false, true}) {
        set_schedule({1, true, lazy});
        const OwnStream stream, other;
        std::atomic<bool> done = false;
        std::atomic<int> order = 0, first = 0, second = 0;
        enqueue_until(stream, [&] { return done.load(); });
        enqueue(stream, [&] { second = ++order; });
        enqueue(other, [&] { first = ++order; });
        other.synchronize();
        CHECK(first == 1);
        CHECK(cudaStreamQuery(stream) == cudaErrorNotReady);
        done = true;
        stream.synchronize();
        CHECK(second == 2);
    }
    set_schedule({});
}
