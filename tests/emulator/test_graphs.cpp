// CUDA graphs by capture: what is queued is done at launches, and what a capture can't hold fails
// with CUDA's codes.

#include "emulator/device_memory.hpp"
#include "support/catch.hpp"

using namespace polytrain::emulator;

namespace {

void begin(cudaStream_t stream) {
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}
cudaStreamCaptureStatus status_of(cudaStream_t stream) {
    auto status = cudaStreamCaptureStatusNone;
    must(cudaStreamIsCapturing(stream, &status));
    return status;
}
// An error of a call that the capture doesn't survive.
void check_broken(cudaStream_t stream, cudaError_t error) {
    CHECK(error == cudaErrorStreamCaptureUnsupported);
    CHECK(status_of(stream) == cudaStreamCaptureStatusInvalidated);
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
    CHECK(status_of(stream) == cudaStreamCaptureStatusNone);
    (void)cudaGetLastError();
}

class OwnGraph {
  public:
    explicit OwnGraph(cudaGraph_t graph) {
        must(cudaGraphInstantiate(&executable_, graph, 0));
        must(cudaGraphDestroy(graph));
    }
    ~OwnGraph() { must(cudaGraphExecDestroy(executable_)); }
    OwnGraph(const OwnGraph&) = delete;
    OwnGraph& operator=(const OwnGraph&) = delete;
    void launch(cudaStream_t stream) const { must(cudaGraphLaunch(executable_, stream)); }

  private:
    cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

TEST_CASE("emulator: a graph of two streams does nothing until it is launched") {
    for (const bool lazy : {false, true}) {
        set_schedule({1, true, lazy});
        const OwnStream stream, other;
        const OwnEvent fork, join;
        const DeviceArray<int> number(std::vector<int>{1}, stream);
        int* const data = number.data();
        begin(stream);
        CHECK(status_of(stream) == cudaStreamCaptureStatusActive);
        CHECK(status_of(other) == cudaStreamCaptureStatusNone);
        run_in_block(stream, 1, [=] { *data += 3; });
        must(cudaEventRecord(fork, stream));
        must(cudaStreamWaitEvent(other, fork, 0));
        CHECK(status_of(other) == cudaStreamCaptureStatusActive);
        run_in_block(other, 1, [=] { *data *= 2; });
        must(cudaEventRecord(join, other));
        CHECK(cudaEventSynchronize(join) == cudaErrorCapturedEvent);
        must(cudaStreamWaitEvent(stream, join, 0));
        cudaGraph_t captured = nullptr;
        must(cudaStreamEndCapture(stream, &captured));
        CHECK(status_of(other) == cudaStreamCaptureStatusNone);
        CHECK(number.read(stream)[0] == 1);
        {
            const OwnGraph graph(captured);
            graph.launch(stream);
            graph.launch(stream);
        }
        CHECK(number.read(stream)[0] == ((1 + 3) * 2 + 3) * 2);
        must(cudaEventRecord(join, stream));
        CHECK(cudaEventSynchronize(join) == cudaSuccess);
    }
    set_schedule({});
}

TEST_CASE("emulator: what a capture can't hold") {
    const OwnStream stream;
    const DeviceArray<float> array(4);
    void* data = nullptr;
    begin(stream);
    check_broken(stream, cudaStreamSynchronize(stream));
    begin(stream);
    check_broken(stream, cudaStreamQuery(stream));
    begin(stream);
    check_broken(stream, cudaDeviceSynchronize());
    begin(stream);
    check_broken(stream, cudaMalloc(&data, 16));
    begin(stream);
    check_broken(stream, cudaFree(array.data()));
    begin(stream);
    std::vector<float> pageable(4);
    check_broken(stream, cudaMemcpyAsync(pageable.data(), array.data(), array.bytes(),
                                         cudaMemcpyDeviceToHost, stream));
}

TEST_CASE("emulator: what a capture can hold") {
    const OwnStream stream, other;
    const DeviceArray<float> array(counting(4), stream);
    const PinnedArray<float> pinned(4);
    begin(stream);
    must(cudaMemsetAsync(array.data(), 0, 8, stream));
    must(cudaMemcpyAsync(pinned.data(), array.data(), array.bytes(), cudaMemcpyDeviceToHost,
                         stream));
    other.synchronize();
    cudaGraph_t captured = nullptr;
    must(cudaStreamEndCapture(stream, &captured));
    const OwnGraph graph(captured);
    graph.launch(stream);
    stream.synchronize();
    CHECK(std::vector<float>(pinned.data(), pinned.data() + 4) == std::vector<float>{0, 0, 2, 3});
}

TEST_CASE("emulator: captures that are begun, joined or ended wrongly") {
    const OwnStream stream, other;
    const OwnEvent fork, outside;
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorIllegalState);
    begin(stream);
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) ==
          cudaErrorIllegalState);
    must(cudaEventRecord(fork, stream));
    must(cudaStreamWaitEvent(other, fork, 0));
    run_in_block(other, 1, [] {});
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureUnjoined);
    CHECK(status_of(other) == cudaStreamCaptureStatusNone);

    must(cudaEventRecord(outside, other));
    begin(stream);
    CHECK(cudaStreamWaitEvent(stream, outside, 0) == cudaErrorStreamCaptureIsolation);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);

    begin(stream);
    must(cudaEventRecord(fork, stream));
    must(cudaStreamWaitEvent(other, fork, 0));
    CHECK(cudaStreamEndCapture(other, &graph) == cudaErrorStreamCaptureUnmatched);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
    (void)cudaGetLastError();
}
