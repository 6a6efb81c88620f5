// CUDA's functions for graphs by capture.

#include <cuda_runtime_api.h>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/capture.hpp"
#include "cuda_emulator/runtime.hpp"
#include "cuda_emulator/streams.hpp"

using namespace polytrain::emulator;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    const std::lock_guard lock(run_time_mutex());
    StreamQueue& queue = streams().checked(stream);
    if (queue.capture() != nullptr) return answer(cudaErrorIllegalState);
    streams().begin_capture(queue, mode != cudaStreamCaptureModeRelaxed);
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    const std::lock_guard lock(run_time_mutex());
    const Capture* capture = streams().checked(stream).capture();
    *status = capture == nullptr     ? cudaStreamCaptureStatusNone
              : capture->is_broken() ? cudaStreamCaptureStatusInvalidated
                                     : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    const std::lock_guard lock(run_time_mutex());
    *graph = nullptr;
    StreamQueue& queue = streams().checked(stream);
    if (queue.capture() == nullptr) return answer(cudaErrorIllegalState);
    if (queue.capture()->origin() != &queue) {
        queue.capture()->break_off();
        return answer(cudaErrorStreamCaptureUnmatched);
    }
    const std::unique_ptr<Capture> capture = streams().end_capture(queue);
    if (capture->is_broken()) return answer(cudaErrorStreamCaptureInvalidated);
    if (!capture->is_joined()) return answer(cudaErrorStreamCaptureUnjoined);
    *graph = reinterpret_cast<cudaGraph_t>(new Graph(capture->take()));
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags) {
    if (flags != 0) die("cudaGraphInstantiate: flags aren't emulated");
    if (graph == nullptr) return answer(cudaErrorInvalidValue);
    *executable =
        reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<const Graph*>(graph)));
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    if (executable == nullptr) return answer(cudaErrorInvalidValue);
    StreamQueue& queue = streams().checked(stream);
    if (queue.capture() != nullptr) die("a launch of a graph into a capture isn't emulated");
    // A copy: the graph may be destroyed before it has run.
    for (const auto& work : reinterpret_cast<const Graph*>(executable)->work) queue.push(work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete reinterpret_cast<Graph*>(graph);
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete reinterpret_cast<Graph*>(executable);
    return cudaSuccess;
}

}  // extern "C"
