#include "ops/linear.hpp"

namespace polytrain {

void LinearForward::check() const {
    PT_CHECK(x_NI.shape.rank() == 2 && w_OI.shape.rank() == 2, "{}: x is {}, w is {}", kName,
             x_NI.shape.text(), w_OI.shape.text());
    check_tensor(kName, "w_OI", w_OI, {w_OI.dim(0), x_NI.dim(1)}, x_NI.dtype);
    check_tensor(kName, "y_NO", y_NO, {x_NI.dim(0), w_OI.dim(0)}, x_NI.dtype);
}

void LinearBackwardInput::check() const {
    PT_CHECK(dy_NO.shape.rank() == 2 && w_OI.shape.rank() == 2, "{}: dy is {}, w is {}", kName,
             dy_NO.shape.text(), w_OI.shape.text());
    check_tensor(kName, "w_OI", w_OI, {dy_NO.dim(1), w_OI.dim(1)}, dy_NO.dtype);
    check_tensor(kName, "dx_NI", dx_NI, {dy_NO.dim(0), w_OI.dim(1)}, dy_NO.dtype);
}

void LinearBackwardWeight::check() const {
    PT_CHECK(dy_NO.shape.rank() == 2 && x_NI.shape.rank() == 2, "{}: dy is {}, x is {}", kName,
             dy_NO.shape.text(), x_NI.shape.text());
    check_tensor(kName, "x_NI", x_NI, {dy_NO.dim(0), x_NI.dim(1)}, dy_NO.dtype);
    check_tensor(kName, "dw_OI", dw_OI, {dy_NO.dim(1), x_NI.dim(1)}, accumulator_of(dy_NO.dtype));
}

}  // namespace polytrain
