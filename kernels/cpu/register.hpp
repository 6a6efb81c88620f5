#pragma once
// The CPU kernels, f32 and bf16: row kernels by Highway, products by oneDNN. Each adds itself to
// the table; what they don't cover falls to kernels/reference.

#include "core/thread_pool.hpp"
#include "ops/op_table.hpp"

namespace polytrain {

void register_cpu_ops(OpTable& table, ThreadPool& pool);  // all of the below

namespace cpu {
void register_activation(OpTable& table, ThreadPool& pool);
void register_adamw(OpTable& table, ThreadPool& pool);
void register_attention(OpTable& table, ThreadPool& pool);
void register_attention_cached(OpTable& table, ThreadPool& pool);
void register_cross_entropy(OpTable& table, ThreadPool& pool);
void register_dispatch(OpTable& table, ThreadPool& pool);
void register_elementwise(OpTable& table, ThreadPool& pool);
void register_embedding(OpTable& table, ThreadPool& pool);
void register_grouped_linear(OpTable& table, ThreadPool& pool);
void register_linear(OpTable& table, ThreadPool& pool);
void register_qk_norm(OpTable& table, ThreadPool& pool);
void register_rms_norm(OpTable& table, ThreadPool& pool);
void register_rotary(OpTable& table, ThreadPool& pool);
void register_router(OpTable& table, ThreadPool& pool);
}  // namespace cpu

}  // namespace polytrain
