#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {

void register_cuda_ops(OpTable& table, const DeviceInfo& device, Products& products,
                       GroupedProducts& grouped) {
    register_flash_attention(table);
    register_attention(table);
    register_grouped_linear(table, grouped);
    register_linear(table, products);
    register_activation(table, device);
    register_adamw(table, device);
    register_attention_cached(table, device);
    register_cross_entropy(table, device);
    register_dispatch(table, device);
    register_elementwise(table, device);
    register_embedding(table, device);
    register_qk_norm(table, device);
    register_rms_norm(table, device);
    register_rotary(table, device);
    register_router(table, device);
}

}  // namespace polytrain::cuda
