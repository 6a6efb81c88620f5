#include "ops/linear.hpp"

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// A matrix read with strides, so that one loop serves all three products.
template <class T>
struct Matrix {
    T* data;
    int64_t row_stride, column_stride;
    T& operator()(int64_t r, int64_t c) const { return data[r * row_stride + c * column_stride]; }
};

// c[m, n] = sum_k a[m, k] b[k, n], added to c when `add`.
template <class T, class C>
void product(int64_t rows, int64_t columns, int64_t inner, Matrix<T> a, Matrix<T> b, Matrix<C> c,
             bool add) {
    for (int64_t m = 0; m < rows; ++m)
        for (int64_t n = 0; n < columns; ++n) {
            double sum = add ? load(c(m, n)) : 0.0;
            for (int64_t k = 0; k < inner; ++k) sum += load(a(m, k)) * load(b(k, n));
            store(c(m, n), sum);
        }
}

}  // namespace

void register_linear(OpTable& table) {
    add_reference(table, &LinearForward::x_NI, [](const LinearForward& op, auto t) {
        using T = decltype(t);
        const int64_t n = op.x_NI.dim(0), in = op.x_NI.dim(1), out = op.w_OI.dim(0);
        product<T, T>(n, out, in, {op.x_NI.as<T>(), in, 1}, {op.w_OI.as<T>(), 1, in},
                      {op.y_NO.as<T>(), out, 1}, false);
    });
    add_reference(table, &LinearBackwardInput::dy_NO, [](const LinearBackwardInput& op, auto t) {
        using T = decltype(t);
        const int64_t n = op.dy_NO.dim(0), out = op.dy_NO.dim(1), in = op.w_OI.dim(1);
        product<T, T>(n, in, out, {op.dy_NO.as<T>(), out, 1}, {op.w_OI.as<T>(), in, 1},
                      {op.dx_NI.as<T>(), in, 1}, false);
    });
    add_reference(table, &LinearBackwardWeight::dy_NO, [](const LinearBackwardWeight& op, auto t) {
        using T = decltype(t);
        const int64_t n = op.dy_NO.dim(0), out = op.dy_NO.dim(1), in = op.x_NI.dim(1);
        product<T, Acc<T>>(out, in, n, {op.dy_NO.as<T>(), 1, out}, {op.x_NI.as<T>(), in, 1},
                           {op.dw_OI.as<Acc<T>>(), in, 1}, true);
    });
}

}  // namespace polytrain::reference
