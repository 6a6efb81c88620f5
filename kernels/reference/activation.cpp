#include "ops/activation.hpp"

#include <array>
#include <cmath>
#include <vector>

#include "kernels/common/scalar_math.hpp"
#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

using scalar_math::erfc_of, scalar_math::exp_of, scalar_math::if_positive, scalar_math::max_of;
#define VALUE_FN inline
#include "kernels/common/activations/list.hpp"

template <class T>
Coefficients<double> coefficients_of(const Tensor& tensor, int order) {
    Coefficients<double> a{{}, order};
    for (int64_t k = 0; k < tensor.elements(); ++k) a.values[k] = load(tensor.as<Acc<T>>()[k]);
    return a;
}

double power(double x, int n) {
    double result = 1;
    for (int i = 0; i < n; ++i) result *= x;
    return result;
}

// f over one row of gate values, and the gradients of that row: what the op is made of.
template <class A>
struct RowFunction {
    const Coefficients<double>& a;
    int64_t width;

    void statistics(const double* x, double* rstd) const {
        if constexpr (A::kIsRowPolynomial)
            for (int i = 1; i <= a.order; ++i) {
                double sum = 0;
                for (int64_t j = 0; j < width; ++j) sum += power(A::base(x[j]), 2 * i);
                rstd[i - 1] = 1 / std::sqrt(sum / static_cast<double>(width) + kRowNormEps);
            }
    }
    double value(double x, const double* rstd) const {
        if constexpr (A::kIsRowPolynomial) {
            double y = a[0];
            for (int i = 1; i <= a.order; ++i) y += a[i] * rstd[i - 1] * power(A::base(x), i);
            return y;
        } else {
            return A::value(x, a);
        }
    }
    // dx and, added, da for the gradient g of the row's values.
    void gradient(const double* x, const double* rstd, const double* g, double* dx,
                  double* da) const {
        if constexpr (A::kIsRowPolynomial) {
            std::array<double, kMaxCoefficients> dots{};  // G_i = sum_j g_j b_j^i
            for (int i = 0; i <= a.order; ++i)
                for (int64_t j = 0; j < width; ++j) dots[i] += g[j] * power(A::base(x[j]), i);
            da[0] += dots[0];
            for (int i = 1; i <= a.order; ++i) da[i] += rstd[i - 1] * dots[i];
            for (int64_t j = 0; j < width; ++j) {
                const double b = A::base(x[j]);
                double db = 0;
                for (int i = 1; i <= a.order; ++i) {
                    const double s = rstd[i - 1];
                    db += i * a[i] * s *
                          (g[j] * power(b, i - 1) -
                           s * s * dots[i] * power(b, 2 * i - 1) / static_cast<double>(width));
                }
                dx[j] = db * A::d_base(x[j]);
            }
        } else {
            for (int64_t j = 0; j < width; ++j) {
                dx[j] = g[j] * A::d_input(x[j], a);
                for (int k = 0; k < A::coefficients(a.order); ++k)
                    da[k] += g[j] * A::d_coefficient(k, x[j], a);
            }
        }
    }
};

template <class A, class T>
void forward(const ActivationForward& op) {
    const int64_t n_rows = op.y_NF.dim(0), width = op.y_NF.dim(1), x_width = op.x_NX.dim(1);
    const int stats = op.info->statistics(op.order);
    const auto a = coefficients_of<T>(op.coefficients_P, op.order);
    const RowFunction<A> f{a, width};
    std::vector<double> gate(static_cast<size_t>(width));
    std::array<double, kMaxCoefficients> rstd{};
    for (int64_t n = 0; n < n_rows; ++n) {
        const T* x = op.x_NX.as<T>() + n * x_width;
        for (int64_t j = 0; j < width; ++j) gate[static_cast<size_t>(j)] = load(x[j]);
        f.statistics(gate.data(), rstd.data());
        for (int i = 0; i < stats; ++i)
            store(op.rstd_NR.as<Acc<T>>()[n * stats + i], rstd[static_cast<size_t>(i)]);
        for (int64_t j = 0; j < width; ++j)
            store(op.y_NF.as<T>()[n * width + j],
                  f.value(gate[static_cast<size_t>(j)], rstd.data()) *
                      (op.gated ? load(x[width + j]) : 1.0));
    }
}

template <class A, class T>
void backward(const ActivationBackward& op) {
    const int64_t n_rows = op.dy_NF.dim(0), width = op.dy_NF.dim(1), x_width = op.x_NX.dim(1);
    const int stats = op.info->statistics(op.order);
    const auto a = coefficients_of<T>(op.coefficients_P, op.order);
    const RowFunction<A> f{a, width};
    const auto size = static_cast<size_t>(width);
    std::vector<double> gate(size), up(size), g(size), dgate(size);
    std::array<double, kMaxCoefficients> rstd{}, da{};
    for (int64_t n = 0; n < n_rows; ++n) {
        const T* x = op.x_NX.as<T>() + n * x_width;
        const T* dy = op.dy_NF.as<T>() + n * width;
        T* dx = op.dx_NX.as<T>() + n * x_width;
        for (int i = 0; i < stats; ++i)
            rstd[static_cast<size_t>(i)] = load(op.rstd_NR.as<Acc<T>>()[n * stats + i]);
        for (size_t j = 0; j < size; ++j) {
            gate[j] = load(x[j]);
            up[j] = op.gated ? load(x[size + j]) : 1.0;
            g[j] = load(dy[j]) * up[j];
        }
        f.gradient(gate.data(), rstd.data(), g.data(), dgate.data(), da.data());
        for (size_t j = 0; j < size; ++j) {
            if (op.gated) store(dx[size + j], load(dy[j]) * f.value(gate[j], rstd.data()));
            store(dx[j], dgate[j]);
        }
    }
    for (int64_t k = 0; k < op.dcoefficients_P.elements(); ++k) {
        Acc<T>& sum = op.dcoefficients_P.as<Acc<T>>()[k];
        store(sum, load(sum) + da[static_cast<size_t>(k)]);
    }
}

}  // namespace

void register_activation(OpTable& table) {
    fill_catalog(table.activations(), ActivationList{});
    add_reference(table, &ActivationForward::y_NF, [](const ActivationForward& op, auto t) {
        with_activation(op.info->index, ActivationList{},
                        [&](auto a) { forward<decltype(a), decltype(t)>(op); });
    });
    add_reference(table, &ActivationBackward::dy_NF, [](const ActivationBackward& op, auto t) {
        with_activation(op.info->index, ActivationList{},
                        [&](auto a) { backward<decltype(a), decltype(t)>(op); });
    });
}

}  // namespace polytrain::reference
