#pragma once
// Attention (ops/attention.hpp) spelled out in cuDNN operations: the pattern from which cuDNN makes
// one flash-attention kernel. Tensors are [batch, heads, time, width], with strides into the packed
// rows, so nothing is copied.

#include <compare>
#include <cstdint>

#include "kernels/cuda/cudnn_graph.hpp"

namespace polytrain::cuda {

// What one graph computes: `heads` query heads and their `kv_heads` groups of `batch` sequences,
// within rows that hold row_heads and row_kv_heads of them.
struct AttentionShape {
    int64_t batch = 0, time = 0, heads = 0, kv_heads = 0, head_width = 0;
    int64_t row_heads = 0, row_kv_heads = 0;
    bool backward = false;
    auto operator<=>(const AttentionShape&) const = default;  // NOLINT(modernize-use-nullptr)

    int64_t packed() const { return (row_heads + 2 * row_kv_heads) * head_width; }
    int64_t width() const { return row_heads * head_width; }
};

// The graphs' tensors by id.
enum AttentionTensor : int64_t {
    kQ = 1,
    kK,
    kV,
    kY,
    kLse,
    kDy,
    kDq,
    kDk,
    kDv,
    kScale,   // by value: 1 / sqrt(D)
    kOne,     // by value: 1
    kMasked,  // by value: a score that gives weight 0
    kDelta,   // scratch, f32 [batch, heads, time]: delta_i = sum_d dy_id y_id
};

CudnnGraph attention_forward_graph(const AttentionShape& shape);

// The deterministic form: dq is a product's direct result. With an f32 tensor in memory between the
// two cuDNN takes kernels whose blocks add to it atomically, in the order in which they come (seen
// in the machine code that 9.19 makes: RED.ADD.F32 or UTMAREDG.ADD there, neither here).
CudnnGraph attention_backward_graph(const AttentionShape& shape);

}  // namespace polytrain::cuda
