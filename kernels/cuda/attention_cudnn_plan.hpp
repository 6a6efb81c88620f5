#pragma once
// A cuDNN execution plan of one attention graph. Only deterministic plans are made: the same bits
// from the same inputs, in every run.

#include <string>
#include <vector>

#include "kernels/cuda/attention_cudnn_graph.hpp"

namespace polytrain::cuda {

// What plans are made for: the device of a cuDNN handle, or none but its description (then plans
// can be looked at, not executed).
class CudnnTarget {
  public:
    explicit CudnnTarget(cudnnHandle_t handle) : handle_(handle) {}
    // The device's properties in cuDNN's JSON (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR).
    explicit CudnnTarget(std::string_view properties_json);

    cudnnHandle_t handle() const { return handle_; }
    // Tells a descriptor: by the one attribute or the other. A null handle attribute (0): none.
    void describe(CudnnDescriptor& descriptor, cudnnBackendAttributeName_t handle_name,
                  cudnnBackendAttributeName_t properties_name) const;

  private:
    cudnnHandle_t handle_ = nullptr;
    std::vector<CudnnDescriptor> properties_;  // one or none
};

// Device pointers to the first element of the call's first head; forward needs q, k, v, y, lse.
struct AttentionPointers {
    void *q = nullptr, *k = nullptr, *v = nullptr, *y = nullptr, *lse = nullptr;
    void *dy = nullptr, *dq = nullptr, *dk = nullptr, *dv = nullptr;
};

class AttentionPlan {
  public:
    // No deterministic plan: throws exit 70 with cuDNN's reasons.
    AttentionPlan(const AttentionShape& shape, const CudnnTarget& target);

    // Of the scratch that execute() is given, 256-byte aligned: cuDNN's own workspace, then delta.
    size_t scratch_bytes() const;
    size_t workspace_bytes() const { return workspace_bytes_; }
    int64_t engine() const { return engine_; }
    std::vector<std::string> kernel_names() const;

    // Queues the kernels on the handle's stream.
    void execute(cudnnHandle_t handle, const AttentionPointers& pointers, void* scratch) const;

  private:
    // Makes plan_ if cuDNN can; else adds why not to `reasons`.
    bool try_config(const CudnnDescriptor& config, const CudnnTarget& target, std::string& reasons);

    AttentionShape shape_;
    CudnnGraph graph_;
    CudnnDescriptor operations_;
    CudnnDescriptor plan_;
    size_t workspace_bytes_ = 0;
    int64_t engine_ = -1;
};

}  // namespace polytrain::cuda
