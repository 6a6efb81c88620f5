#include "ops/attention.hpp"

namespace polytrain {
namespace {

template <class Op>
void check_common(const Op& op) {
    PT_CHECK(op.time > 0 && op.heads > 0 && op.kv_heads > 0 && op.heads % op.kv_heads == 0,
             "{}: time {}, {} heads, {} key-value heads", Op::kName, op.time, op.heads,
             op.kv_heads);
    PT_CHECK(op.y_NQ.shape.rank() == 2 && op.y_NQ.dim(0) % op.time == 0 &&
                 op.y_NQ.dim(1) % op.heads == 0,
             "{}: y is {} with time {} and {} heads", Op::kName, op.y_NQ.shape.text(), op.time,
             op.heads);
    const int64_t n = op.y_NQ.dim(0), packed = (op.heads + 2 * op.kv_heads) * op.head_width();
    check_tensor(Op::kName, "qkv_NP", op.qkv_NP, {n, packed}, op.y_NQ.dtype);
    check_tensor(Op::kName, "lse_NH", op.lse_NH, {n, op.heads}, accumulator_of(op.y_NQ.dtype));
}

}  // namespace

void AttentionForward::check() const {
    check_common(*this);
}

void AttentionBackward::check() const {
    check_common(*this);
    check_tensor(kName, "dy_NQ", dy_NQ, y_NQ.shape, y_NQ.dtype);
    check_tensor(kName, "dqkv_NP", dqkv_NP, qkv_NP.shape, y_NQ.dtype);
}

}  // namespace polytrain
