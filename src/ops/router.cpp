#include "ops/router.hpp"

namespace polytrain {

void RouterForward::check() const {
    PT_CHECK(logits_NE.shape.rank() == 2 && experts_NK.shape.rank() == 2,
             "{}: logits are {}, experts {}", kName, logits_NE.shape.text(),
             experts_NK.shape.text());
    const int64_t n = logits_NE.dim(0), e = logits_NE.dim(1), k = experts_NK.dim(1);
    const DType acc = logits_NE.dtype;
    PT_CHECK(acc == accumulator_of(acc), "{}: logits of type {}", kName, name_of(acc));
    PT_CHECK(1 <= k && k <= e, "{}: the top {} of {} experts", kName, k, e);
    check_tensor(kName, "bias_E", bias_E, {e}, acc);
    check_tensor(kName, "probs_NE", probs_NE, {n, e}, acc);
    check_tensor(kName, "lse_N", lse_N, {n}, acc);
    check_tensor(kName, "experts_NK", experts_NK, {n, k}, DType::kI32);
    check_tensor(kName, "weights_NK", weights_NK, {n, k}, acc);
    check_tensor(kName, "counts_E", counts_E, {e}, DType::kI64);
    check_tensor(kName, "sums_S", sums_S, {e + 2}, DType::kF64);
}

void RouterBackward::check() const {
    PT_CHECK(probs_NE.shape.rank() == 2 && experts_NK.shape.rank() == 2,
             "{}: probs are {}, experts {}", kName, probs_NE.shape.text(), experts_NK.shape.text());
    const int64_t n = probs_NE.dim(0), e = probs_NE.dim(1), k = experts_NK.dim(1);
    const DType acc = probs_NE.dtype;
    PT_CHECK(acc == accumulator_of(acc), "{}: probs of type {}", kName, name_of(acc));
    check_tensor(kName, "lse_N", lse_N, {n}, acc);
    check_tensor(kName, "experts_NK", experts_NK, {n, k}, DType::kI32);
    check_tensor(kName, "weights_NK", weights_NK, {n, k}, acc);
    check_tensor(kName, "dweights_NK", dweights_NK, {n, k}, acc);
    check_tensor(kName, "balance_counts_E", balance_counts_E, {e}, DType::kI64);
    check_tensor(kName, "dlogits_NE", dlogits_NE, {n, e}, acc);
}

}  // namespace polytrain
