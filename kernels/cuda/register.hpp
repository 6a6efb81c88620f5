#pragma once
// The CUDA kernels, f32 and bf16. Each adds itself to the table.

#include "kernels/cuda/device_info.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cuda {

class Products;
class GroupedProducts;

// All of the below; the products must outlive the table.
void register_cuda_ops(OpTable& table, const DeviceInfo& device, Products& products,
                       GroupedProducts& grouped);

void register_attention(OpTable& table);
void register_flash_attention(OpTable& table);
void register_grouped_linear(OpTable& table, GroupedProducts& products);
void register_linear(OpTable& table, Products& products);
// Fills the table's catalog of activations too.
void register_activation(OpTable& table, const DeviceInfo& device);
void register_adamw(OpTable& table, const DeviceInfo& device);
void register_attention_cached(OpTable& table, const DeviceInfo& device);
void register_cross_entropy(OpTable& table, const DeviceInfo& device);
void register_dispatch(OpTable& table, const DeviceInfo& device);
void register_elementwise(OpTable& table, const DeviceInfo& device);
void register_embedding(OpTable& table, const DeviceInfo& device);
void register_qk_norm(OpTable& table, const DeviceInfo& device);
void register_rms_norm(OpTable& table, const DeviceInfo& device);
void register_rotary(OpTable& table, const DeviceInfo& device);
void register_router(OpTable& table, const DeviceInfo& device);

}  // namespace polytrain::cuda
