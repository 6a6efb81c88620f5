#pragma once
// A stream's work as a CUDA graph.

#include <cuda_runtime_api.h>

#include <functional>

namespace polytrain::cuda {

// What `queue` queues on the stream, undone. The caller destroys it. Throws what `queue` throws, or
// an error that names the call; the stream is then as before.
cudaGraphExec_t record_graph(const std::function<void()>& queue, cudaStream_t stream);

}  // namespace polytrain::cuda
