#include "ops/grouped_linear.hpp"

#include "kernels/common/groups.hpp"
#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// Calls f(matrix, row) for the rows of each group in order.
template <class F>
void for_rows(std::string_view op, const Tensor& offsets_G, int64_t rows, int64_t matrices, F&& f) {
    const int64_t* offsets = checked_offsets(op, offsets_G, rows);
    for (int64_t g = 0; g < offsets_G.dim(0) - 1; ++g)
        for (int64_t r = offsets[g]; r < offsets[g + 1]; ++r) f(g % matrices, r);
}

template <class T>
void forward(const GroupedLinearForward& op) {
    const int64_t in = op.w_EOI.dim(2), out = op.w_EOI.dim(1);
    for_rows(op.kName, op.offsets_G, op.x_RI.dim(0), op.w_EOI.dim(0), [&](int64_t e, int64_t r) {
        const T* x = op.x_RI.as<T>() + r * in;
        const T* w = op.w_EOI.as<T>() + e * out * in;
        for (int64_t o = 0; o < out; ++o) {
            double sum = 0;
            for (int64_t i = 0; i < in; ++i) sum += load(x[i]) * load(w[o * in + i]);
            store(op.y_RO.as<T>()[r * out + o], sum);
        }
    });
}

template <class T>
void backward_input(const GroupedLinearBackwardInput& op) {
    const int64_t in = op.w_EOI.dim(2), out = op.w_EOI.dim(1);
    for_rows(op.kName, op.offsets_G, op.dy_RO.dim(0), op.w_EOI.dim(0), [&](int64_t e, int64_t r) {
        const T* dy = op.dy_RO.as<T>() + r * out;
        const T* w = op.w_EOI.as<T>() + e * out * in;
        for (int64_t i = 0; i < in; ++i) {
            double sum = 0;
            for (int64_t o = 0; o < out; ++o) sum += load(dy[o]) * load(w[o * in + i]);
            store(op.dx_RI.as<T>()[r * in + i], sum);
        }
    });
}

// Element by element, so that the sum over a gradient's groups is kept in double.
template <class T>
void backward_weight(const GroupedLinearBackwardWeight& op) {
    const int64_t slots = op.dw_DOI.dim(0), in = op.dw_DOI.dim(2), out = op.dw_DOI.dim(1);
    const int64_t* offsets = checked_offsets(op.kName, op.offsets_G, op.x_RI.dim(0));
    for (int64_t d = 0; d < slots; ++d)
        for (int64_t o = 0; o < out; ++o)
            for (int64_t i = 0; i < in; ++i) {
                Acc<T>& dw = op.dw_DOI.as<Acc<T>>()[(d * out + o) * in + i];
                double sum = load(dw);
                for (int64_t g = d; g < op.offsets_G.dim(0) - 1; g += slots)
                    for (int64_t r = offsets[g]; r < offsets[g + 1]; ++r)
                        sum +=
                            load(op.dy_RO.as<T>()[r * out + o]) * load(op.x_RI.as<T>()[r * in + i]);
                store(dw, sum);
            }
}

}  // namespace

void register_grouped_linear(OpTable& table) {
    add_reference(table, &GroupedLinearForward::x_RI,
                  [](const GroupedLinearForward& op, auto t) { forward<decltype(t)>(op); });
    add_reference(
        table, &GroupedLinearBackwardInput::dy_RO,
        [](const GroupedLinearBackwardInput& op, auto t) { backward_input<decltype(t)>(op); });
    add_reference(
        table, &GroupedLinearBackwardWeight::dy_RO,
        [](const GroupedLinearBackwardWeight& op, auto t) { backward_weight<decltype(t)>(op); });
}

}  // namespace polytrain::reference
