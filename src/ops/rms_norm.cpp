#include "ops/rms_norm.hpp"

namespace polytrain {

void RmsNormForward::check() const {
    PT_CHECK(x_NC.shape.rank() == 2 && x_NC.dim(1) > 0, "{}: x is {}", kName, x_NC.shape.text());
    const DType acc = accumulator_of(x_NC.dtype);
    check_tensor(kName, "gain_C", gain_C, {x_NC.dim(1)}, acc);
    check_tensor(kName, "y_NC", y_NC, x_NC.shape, x_NC.dtype);
    check_tensor(kName, "rstd_N", rstd_N, {x_NC.dim(0)}, acc);
    PT_CHECK(adds() == (sum_NC.elements() > 0), "{}: of residual and sum there is one", kName);
    if (!adds()) return;
    check_tensor(kName, "residual_NC", residual_NC, x_NC.shape, x_NC.dtype);
    check_tensor(kName, "sum_NC", sum_NC, x_NC.shape, x_NC.dtype);
}

void RmsNormBackward::check() const {
    PT_CHECK(x_NC.shape.rank() == 2 && x_NC.dim(1) > 0, "{}: x is {}", kName, x_NC.shape.text());
    const DType acc = accumulator_of(x_NC.dtype);
    check_tensor(kName, "gain_C", gain_C, {x_NC.dim(1)}, acc);
    check_tensor(kName, "rstd_N", rstd_N, {x_NC.dim(0)}, acc);
    check_tensor(kName, "dy_NC", dy_NC, x_NC.shape, x_NC.dtype);
    check_tensor(kName, "dx_NC", dx_NC, x_NC.shape, x_NC.dtype);
    check_tensor(kName, "dgain_C", dgain_C, {x_NC.dim(1)}, acc);
    if (adds()) check_tensor(kName, "dskip_NC", dskip_NC, x_NC.shape, x_NC.dtype);
}

}  // namespace polytrain
