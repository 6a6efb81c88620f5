#include "ops/grouped_linear.hpp"

namespace polytrain {
namespace {

void check_groups(std::string_view op, const Tensor& offsets_G, const Tensor& matrices) {
    PT_CHECK(offsets_G.shape.rank() == 1 && matrices.shape.rank() == 3,
             "{}: offsets are {}, matrices {}", op, offsets_G.shape.text(), matrices.shape.text());
    check_tensor(op, "offsets_G", offsets_G, offsets_G.shape, DType::kI64);
    const int64_t groups = offsets_G.dim(0) - 1, count = matrices.dim(0);
    PT_CHECK(groups >= 1 && count >= 1 && groups % count == 0, "{}: {} groups of {} matrices", op,
             groups, count);
}

}  // namespace

void GroupedLinearForward::check() const {
    check_groups(kName, offsets_G, w_EOI);
    check_tensor(kName, "x_RI", x_RI, {y_RO.dim(0), w_EOI.dim(2)}, w_EOI.dtype);
    check_tensor(kName, "y_RO", y_RO, {y_RO.dim(0), w_EOI.dim(1)}, w_EOI.dtype);
}

void GroupedLinearBackwardInput::check() const {
    check_groups(kName, offsets_G, w_EOI);
    check_tensor(kName, "dy_RO", dy_RO, {dy_RO.dim(0), w_EOI.dim(1)}, w_EOI.dtype);
    check_tensor(kName, "dx_RI", dx_RI, {dy_RO.dim(0), w_EOI.dim(2)}, w_EOI.dtype);
}

void GroupedLinearBackwardWeight::check() const {
    check_groups(kName, offsets_G, dw_DOI);
    check_tensor(kName, "dy_RO", dy_RO, {dy_RO.dim(0), dw_DOI.dim(1)}, dy_RO.dtype);
    check_tensor(kName, "x_RI", x_RI, {dy_RO.dim(0), dw_DOI.dim(2)}, dy_RO.dtype);
    check_tensor(kName, "dw_DOI", dw_DOI, dw_DOI.shape, accumulator_of(dy_RO.dtype));
}

}  // namespace polytrain
