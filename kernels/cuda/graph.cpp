#include "kernels/cuda/graph.hpp"

#include <memory>

#include "kernels/cuda/check.hpp"

namespace polytrain::cuda {
namespace {

using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)>;

// A broken capture ends with its error, which is then no longer the last of the thread's.
Graph end_capture(cudaStream_t stream, cudaError_t& error) {
    cudaGraph_t graph = nullptr;
    error = cudaStreamEndCapture(stream, &graph);
    if (error != cudaSuccess) (void)cudaGetLastError();
    return {graph, cudaGraphDestroy};
}

}  // namespace

cudaGraphExec_t record_graph(const std::function<void()>& queue, cudaStream_t stream) {
    // Other threads, such as NCCL's watch, go on with calls that a capture forbids its own thread.
    cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    cudaError_t error = cudaSuccess;
    try {
        queue();
    } catch (...) {
        (void)end_capture(stream, error);
        throw;
    }
    const Graph graph = end_capture(stream, error);
    cuda_check(error, "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    cuda_check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
    return executable;
}

}  // namespace polytrain::cuda
