#pragma once
// The reference kernels: plain loops with double accumulation over f64, f32 and bf16 storage. They
// are each op's specification in code, and the last choice on the CPU.

#include "ops/op_table.hpp"

namespace polytrain {

void register_reference_ops(OpTable& table);  // all of the below

namespace reference {
void register_activation(OpTable& table);
void register_adamw(OpTable& table);
void register_attention(OpTable& table);
void register_attention_cached(OpTable& table);
void register_cross_entropy(OpTable& table);
void register_dispatch(OpTable& table);
void register_elementwise(OpTable& table);
void register_embedding(OpTable& table);
void register_grouped_linear(OpTable& table);
void register_linear(OpTable& table);
void register_qk_norm(OpTable& table);
void register_rms_norm(OpTable& table);
void register_rotary(OpTable& table);
void register_router(OpTable& table);
}  // namespace reference

}  // namespace polytrain
