#include "ops/cross_entropy.hpp"

namespace polytrain {

void CrossEntropy::check() const {
    PT_CHECK(logits_NV.shape.rank() == 2 && logits_NV.dim(1) > 0, "{}: logits are {}", kName,
             logits_NV.shape.text());
    check_tensor(kName, "targets_N", targets_N, {logits_NV.dim(0)}, DType::kI32);
    check_tensor(kName, "loss_N", loss_N, {logits_NV.dim(0)}, accumulator_of(logits_NV.dtype));
    check_tensor(kName, "z_loss_N", z_loss_N, loss_N.shape, loss_N.dtype);
    if (dlogits_NV.present())
        check_tensor(kName, "dlogits_NV", dlogits_NV, logits_NV.shape, logits_NV.dtype);
}

}  // namespace polytrain
