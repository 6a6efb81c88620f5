#include "ops/qk_norm.hpp"

namespace polytrain {
namespace {

template <class Op>
void check_common(const Op& op) {
    PT_CHECK(op.heads > 0 && op.kv_heads > 0 && op.x_NP.shape.rank() == 2 &&
                 op.x_NP.dim(1) % (op.heads + 2 * op.kv_heads) == 0,
             "{}: x is {} with {} heads, {} key-value heads", Op::kName, op.x_NP.shape.text(),
             op.heads, op.kv_heads);
    const DType acc = accumulator_of(op.x_NP.dtype);
    const int64_t width = op.head_width(), n = op.x_NP.dim(0);
    const auto gain_width = [&](int64_t heads) { return op.per_head ? width : heads * width; };
    check_tensor(Op::kName, "gain_q", op.gain_q, {gain_width(op.heads)}, acc);
    check_tensor(Op::kName, "gain_k", op.gain_k, {gain_width(op.kv_heads)}, acc);
    check_tensor(Op::kName, "rstd_NS", op.rstd_NS,
                 {n, op.per_head ? op.heads + op.kv_heads : int64_t{2}}, acc);
}

}  // namespace

void QkNormForward::check() const {
    check_common(*this);
    check_tensor(kName, "y_NP", y_NP, x_NP.shape, x_NP.dtype);
}

void QkNormBackward::check() const {
    check_common(*this);
    check_tensor(kName, "d_NP", d_NP, x_NP.shape, x_NP.dtype);
    check_tensor(kName, "dgain_q", dgain_q, gain_q.shape, gain_q.dtype);
    check_tensor(kName, "dgain_k", dgain_k, gain_k.shape, gain_k.dtype);
}

}  // namespace polytrain
