#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {

void register_cuda_ops(OpTable& table, const DeviceInfo& device) {
    register_activation(table, device);
    register_adamw(table, device);
    register_elementwise(table, device);
    register_rms_norm(table, device);
}

}  // namespace polytrain::cuda
