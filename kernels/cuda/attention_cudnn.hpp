#pragma once

#include "kernels/cuda/cudnn_context.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cuda {

// Implementation "cudnn" of attention.forward and attention.backward, bf16. Where it doesn't apply
// (head widths over 128 or no multiple of 8, short sequences, no usable cuDNN) the table's next one
// runs. `context` outlives the table.
void register_attention_cudnn(OpTable& table, CudnnContext& context);

}  // namespace polytrain::cuda
