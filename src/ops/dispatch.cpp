#include "ops/dispatch.hpp"

namespace polytrain {
namespace {

// What the moves between tokens and rows share.
void check_moved(std::string_view op, const Tensor& tokens_NC, const Tensor& rows_RC,
                 const Tensor& slots_NK) {
    PT_CHECK(tokens_NC.shape.rank() == 2 && slots_NK.shape.rank() == 2,
             "{}: tokens are {}, slots {}", op, tokens_NC.shape.text(), slots_NK.shape.text());
    const int64_t n = tokens_NC.dim(0), k = slots_NK.dim(1);
    check_tensor(op, "slots_NK", slots_NK, {n, k}, DType::kI32);
    check_tensor(op, "rows_RC", rows_RC, {n * k, tokens_NC.dim(1)}, tokens_NC.dtype);
}

}  // namespace

void DispatchPlan::check() const {
    PT_CHECK(experts_NK.shape.rank() == 2 && counts_E.shape.rank() == 1,
             "{}: experts are {}, counts {}", kName, experts_NK.shape.text(),
             counts_E.shape.text());
    check_tensor(kName, "experts_NK", experts_NK, experts_NK.shape, DType::kI32);
    check_tensor(kName, "counts_E", counts_E, counts_E.shape, DType::kI64);
    check_tensor(kName, "slots_NK", slots_NK, experts_NK.shape, DType::kI32);
}

void DispatchForward::check() const {
    check_moved(kName, x_NC, rows_RC, slots_NK);
}

void DispatchBackward::check() const {
    check_moved(kName, dx_NC, drows_RC, slots_NK);
}

void CombineForward::check() const {
    check_moved(kName, y_NC, rows_RC, slots_NK);
    check_tensor(kName, "weights_NK", weights_NK, slots_NK.shape, accumulator_of(y_NC.dtype));
}

void CombineBackward::check() const {
    check_moved(kName, dy_NC, rows_RC, slots_NK);
    check_tensor(kName, "drows_RC", drows_RC, rows_RC.shape, dy_NC.dtype);
    check_tensor(kName, "weights_NK", weights_NK, slots_NK.shape, accumulator_of(dy_NC.dtype));
    check_tensor(kName, "dweights_NK", dweights_NK, slots_NK.shape, accumulator_of(dy_NC.dtype));
}

}  // namespace polytrain
