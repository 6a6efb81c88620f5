#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {

void register_cuda_ops(OpTable& table, const DeviceInfo& device, Products& products,
                       GroupedProducts& grouped) {
    register_flash_attention(table);
    register_attention(table);
    register_grouped_linear(table, grouped);
    register_linear(table, products);
    register_rms_norm(table, device);
}

}  // namespace polytrain::cuda
