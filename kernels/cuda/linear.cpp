#include "ops/linear.hpp"

#include "kernels/cuda/products.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// x, w and y, or their gradients, by the roles that a product gives them.
template <class Op>
void add(OpTable& table, Products& products, Product (*product_of)(const Op&), Tensor Op::*a,
         Tensor Op::*b, Tensor Op::*c) {
    table.add<Op>(
        {"cublaslt",
         [a](const Op& op) {
             return (op.*a).dtype == DType::kF32 || (op.*a).dtype == DType::kBf16;
         },
         [=, &products](const Op& op, const Stream& stream) {
             products.run(product_of(op), (op.*a).data, (op.*b).data, (op.*c).data, op.scratch,
                          stream);
         },
         [product_of](const Op& op) { return Products::workspace_bytes(product_of(op)); }});
}

}  // namespace

void register_linear(OpTable& table, Products& products) {
    add<LinearForward>(
        table, products,
        [](const LinearForward& op) {
            return forward_product(op.x_NI.dim(0), op.x_NI.dim(1), op.y_NO.dim(1), op.x_NI.dtype);
        },
        &LinearForward::w_OI, &LinearForward::x_NI, &LinearForward::y_NO);
    add<LinearBackwardInput>(
        table, products,
        [](const LinearBackwardInput& op) {
            return input_product(op.dy_NO.dim(0), op.dx_NI.dim(1), op.dy_NO.dim(1), op.dy_NO.dtype);
        },
        &LinearBackwardInput::w_OI, &LinearBackwardInput::dy_NO, &LinearBackwardInput::dx_NI);
    add<LinearBackwardWeight>(
        table, products,
        [](const LinearBackwardWeight& op) {
            return weight_product(op.dy_NO.dim(0), op.x_NI.dim(1), op.dy_NO.dim(1), op.dy_NO.dtype);
        },
        &LinearBackwardWeight::x_NI, &LinearBackwardWeight::dy_NO, &LinearBackwardWeight::dw_OI);
}

}  // namespace polytrain::cuda
