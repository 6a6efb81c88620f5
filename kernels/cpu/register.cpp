#include "kernels/cpu/register.hpp"

namespace polytrain {

void register_cpu_ops(OpTable& table, ThreadPool& pool) {
    cpu::register_activation(table, pool);
    cpu::register_adamw(table, pool);
    cpu::register_attention(table, pool);
    cpu::register_attention_cached(table, pool);
    cpu::register_cross_entropy(table, pool);
    cpu::register_dispatch(table, pool);
    cpu::register_elementwise(table, pool);
    cpu::register_embedding(table, pool);
#ifdef POLYTRAIN_ONEDNN
    cpu::register_grouped_linear(table, pool);
    cpu::register_linear(table, pool);
#endif
    cpu::register_qk_norm(table, pool);
    cpu::register_rms_norm(table, pool);
    cpu::register_rotary(table, pool);
    cpu::register_router(table, pool);
}

}  // namespace polytrain
