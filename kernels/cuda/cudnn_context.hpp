#pragma once
// What PolyTrain keeps of cuDNN for a device: the handle and the plans made so far. For one thread.

#include <map>
#include <optional>
#include <string>

#include "kernels/cuda/attention_cudnn_plan.hpp"

namespace polytrain::cuda {

// An attention op as calls of one plan, each for some sequences and groups of heads. Backward
// kernels before sm_100 keep the scores' gradient of a call, 2 heads time^2 bytes a sequence: fewer
// heads at once, less scratch.
struct AttentionCalls {
    AttentionShape whole;               // the op's
    int64_t sequences = 0, groups = 0;  // in a call; divisors of the op's
    AttentionPlan plan;
};

class CudnnContext {
  public:
    // For the thread's current CUDA device, once it is asked for.
    CudnnContext() = default;
    // For a device that need not be there; see CudnnTarget.
    explicit CudnnContext(std::string properties_json)
        : properties_json_(std::move(properties_json)) {}
    ~CudnnContext();
    CudnnContext(const CudnnContext&) = delete;
    CudnnContext& operator=(const CudnnContext&) = delete;

    // The plan for an op whose every head is computed; null where cuDNN can't be used or has no
    // deterministic plan, of which a line is logged the first time.
    const AttentionCalls* attention(const AttentionShape& whole);

    // The handle, set to a stream. Only where attention() isn't null.
    cudnnHandle_t handle_on(void* stream);

  private:
    const CudnnTarget* target();

    std::string properties_json_;
    cudnnHandle_t handle_ = nullptr;
    bool tried_ = false;
    std::optional<CudnnTarget> target_;
    std::map<AttentionShape, std::optional<AttentionCalls>> attention_;
};

}  // namespace polytrain::cuda
