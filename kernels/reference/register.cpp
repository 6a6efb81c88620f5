#include "kernels/reference/register.hpp"

namespace polytrain {

void register_reference_ops(OpTable& table) {
    reference::register_activation(table);
    reference::register_adamw(table);
    reference::register_attention(table);
    reference::register_attention_cached(table);
    reference::register_cross_entropy(table);
    reference::register_dispatch(table);
    reference::register_elementwise(table);
    reference::register_embedding(table);
    reference::register_grouped_linear(table);
    reference::register_linear(table);
    reference::register_qk_norm(table);
    reference::register_rms_norm(table);
    reference::register_rotary(table);
    reference::register_router(table);
}

}  // namespace polytrain
