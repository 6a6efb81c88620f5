// Activations on vector lanes. One pass over a row for pointwise functions; for the row family two
// passes over a row that the first has brought into cache.

#include "ops/activation.hpp"

#include <cmath>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activation.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/cpu/row_stream-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

#undef VALUE_FN
#define VALUE_FN HWY_INLINE
#include "kernels/common/activations/list.hpp"

Coefficients<Lanes> spread(const Tensor& tensor, int order) {
    Coefficients<Lanes> a;
    a.order = order;
    for (int64_t k = 0; k < tensor.elements(); ++k) a.values[k] = Lanes(tensor.as<float>()[k]);
    return a;
}

// Sums that one part of the rows makes for the coefficients' gradients.
struct CoefficientSums {
    double* sums;
    HWY_INLINE void add(int k, Lanes x) const { sums[k] += sum_of(x); }
};

template <class A, bool kGated>
struct PointwiseRow {
    Coefficients<Lanes> a;
    int64_t width;

    template <class T>
    HWY_INLINE void forward(const T* HWY_RESTRICT x, T* HWY_RESTRICT y, float* /*rstd*/) const {
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            Lanes value = A::value(lanes.read(x + j), a);
            if constexpr (kGated) value = value * lanes.read(x + width + j);
            lanes.write(value, y + j);
        });
    }
    template <class T>
    HWY_INLINE void backward(const T* x, const T* dy, const float* /*rstd*/, T* dx,
                             const CoefficientSums& da) const {
        const int count = A::coefficients(a.order);
        Lanes sums[kMaxCoefficients];
        for (int k = 0; k < count; ++k) sums[k] = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            const Lanes gate = lanes.read(x + j);
            Lanes g = lanes.read(dy + j);
            if constexpr (kGated) {
                const Lanes up = lanes.read(x + width + j);
                lanes.write(g * A::value(gate, a), dx + width + j);
                g = g * up;
            }
            for (int k = 0; k < count; ++k)
                sums[k] = multiply_add(g, A::d_coefficient(k, gate, a), sums[k]);
            lanes.write(g * A::d_input(gate, a), dx + j);
        });
        for (int k = 0; k < count; ++k) da.add(k, sums[k]);
    }
};

// y = c_0 + sum_i c_i b^i with c_i = a_i s_i, b = base(x). kOrder is r, so that its loops unroll,
// or 0 where r is known at run time only.
template <class A, int kOrder, bool kGated>
struct PolynomialRow {
    const float* a;
    int64_t width;
    int order_at_run_time;

    static constexpr int kMost = kOrder > 0 ? kOrder : kMaxActivationOrder;
    HWY_INLINE int order() const { return kOrder > 0 ? kOrder : order_at_run_time; }

    template <class T>
    HWY_INLINE void forward(const T* HWY_RESTRICT x, T* HWY_RESTRICT y, float* rstd) const {
        Lanes squares[kMost];
        for (Lanes& sum : squares) sum = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            const Lanes b = A::base(lanes.read(x + j));
            Lanes power = b;
            for (int i = 0; i < order(); ++i) {
                squares[i] = multiply_add(power, power, squares[i]);
                power = power * b;
            }
        });
        for (int i = 0; i < order(); ++i)
            rstd[i] = static_cast<float>(
                1 / std::sqrt(static_cast<double>(sum_of(squares[i])) / static_cast<double>(width) +
                              kRowNormEps));
        Lanes c[kMost + 1];
        fold(rstd, c);
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            Lanes value = polynomial(A::base(lanes.read(x + j)), c);
            if constexpr (kGated) value = value * lanes.read(x + width + j);
            lanes.write(value, y + j);
        });
    }

    template <class T>
    HWY_INLINE void backward(const T* x, const T* dy, const float* rstd, T* dx,
                             const CoefficientSums& da) const {
        Lanes dots[kMost + 1];  // G_i = sum_j g_j b_j^i
        for (Lanes& sum : dots) sum = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            const Lanes b = A::base(lanes.read(x + j));
            Lanes term = lanes.read(dy + j);
            if constexpr (kGated) term = term * lanes.read(x + width + j);
            dots[0] = dots[0] + term;
            for (int i = 1; i <= order(); ++i) {
                term = term * b;
                dots[i] = dots[i] + term;
            }
        });
        da.sums[0] += sum_of(dots[0]);
        Lanes c[kMost + 1], linear[kMost], odd[kMost];
        fold(rstd, c);
        for (int i = 1; i <= order(); ++i) {
            const double s = rstd[i - 1], dot = sum_of(dots[i]);
            da.sums[i] += s * dot;
            linear[i - 1] = Lanes(i * a[i] * s);
            odd[i - 1] = Lanes(i * a[i] * s * s * s * dot / static_cast<double>(width));
        }
        for_lanes(width, [&](auto lanes, int64_t j) HWY_ATTR {
            const Lanes gate = lanes.read(x + j);
            const Lanes b = A::base(gate), square = b * b;
            Lanes g = lanes.read(dy + j);
            if constexpr (kGated) {
                const Lanes up = lanes.read(x + width + j);
                lanes.write(g * polynomial(b, c), dx + width + j);
                g = g * up;
            }
            Lanes direct = linear[order() - 1], through_norm = odd[order() - 1];
            for (int i = order() - 2; i >= 0; --i) {
                direct = multiply_add(direct, b, linear[i]);
                through_norm = multiply_add(through_norm, square, odd[i]);
            }
            lanes.write((g * direct - b * through_norm) * A::d_base(gate), dx + j);
        });
    }

  private:
    HWY_INLINE void fold(const float* rstd, Lanes* c) const {
        c[0] = Lanes(a[0]);
        for (int i = 1; i <= order(); ++i) c[i] = Lanes(a[i] * rstd[i - 1]);
    }
    HWY_INLINE Lanes polynomial(Lanes b, const Lanes* c) const {
        Lanes y = c[order()];
        for (int i = order() - 1; i >= 0; --i) y = multiply_add(y, b, c[i]);
        return y;
    }
};

template <bool kGated, class Op, class F>
void with_gated_row(const Op& op, int64_t width, const F& f) {
    with_activation(op.info->index, ActivationList{}, [&]<class A>(A) {
        if constexpr (A::kIsRowPolynomial) {
            with_order(op.order, [&]<int kOrder>() {
                f(PolynomialRow<A, kOrder, kGated>{op.coefficients_P.template as<float>(), width,
                                                   op.order});
            });
        } else {
            f(PointwiseRow<A, kGated>{spread(op.coefficients_P, op.order), width});
        }
    });
}

// Run-time activation, order and gating to template arguments; f gets the row function.
template <class Op, class F>
void with_row(const Op& op, int64_t width, const F& f) {
    op.gated ? with_gated_row<true>(op, width, f) : with_gated_row<false>(op, width, f);
}

template <class T>
void forward_rows(const ActivationForward& op, int64_t begin, int64_t end) {
    const int64_t width = op.y_NF.dim(1), x_width = op.x_NX.dim(1), stats = op.rstd_NR.dim(1);
    RowStream<T> y(op.y_NF);
    with_row(op, width, [&](const auto& row) HWY_ATTR {
        for (int64_t n = begin; n < end; ++n) {
            const T* x = op.x_NX.as<T>() + n * x_width;
            y.expect(x + x_width, x_width);
            row.forward(x, y.row(n), op.rstd_NR.as<float>() + n * stats);
            y.done(n);
        }
    });
}

template <class T>
void backward_rows(const ActivationBackward& op, int64_t begin, int64_t end, double* sums) {
    const int64_t width = op.dy_NF.dim(1), x_width = op.x_NX.dim(1), stats = op.rstd_NR.dim(1);
    const CoefficientSums da{sums};
    RowStream<T> dx(op.dx_NX);
    with_row(op, width, [&](const auto& row) HWY_ATTR {
        for (int64_t n = begin; n < end; ++n) {
            const T* x = op.x_NX.as<T>() + n * x_width;
            const T* dy = op.dy_NF.as<T>() + n * width;
            dx.expect(x + x_width, x_width);
            dx.expect(dy + width, width);
            row.backward(x, dy, op.rstd_NR.as<float>() + n * stats, dx.row(n), da);
            dx.done(n);
        }
    });
}

}  // namespace

void activation_forward_rows(const ActivationForward& op, int64_t begin, int64_t end) {
    with_storage(op.y_NF, [&](auto t) { forward_rows<decltype(t)>(op, begin, end); });
}
void activation_backward_rows(const ActivationBackward& op, int64_t begin, int64_t end,
                              double* sums) {
    with_storage(op.dy_NF, [&](auto t) { backward_rows<decltype(t)>(op, begin, end, sums); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(activation_forward_rows);
HWY_EXPORT(activation_backward_rows);

Partition parts_of(const ActivationBackward& op) {
    return row_parts(op.dy_NF.dim(0), op.dy_NF.dim(1));
}

void backward(const ActivationBackward& op, ThreadPool& pool) {
    const Partition partition = parts_of(op);
    const int64_t count = op.dcoefficients_P.elements();
    auto* sums = static_cast<double*>(op.scratch.data);  // [parts, count]
    pool.run(partition.parts(), [&](int64_t part, int) {
        double* own = sums + part * count;
        std::fill(own, own + count, 0.0);
        HWY_DYNAMIC_DISPATCH(activation_backward_rows)
        (op, partition.begin(part), partition.end(part), own);
    });
    for (int64_t k = 0; k < count; ++k) {
        double total = op.dcoefficients_P.as<float>()[k];
        for (int64_t part = 0; part < partition.parts(); ++part) total += sums[part * count + k];
        op.dcoefficients_P.as<float>()[k] = static_cast<float>(total);
    }
}

}  // namespace

void register_activation(OpTable& table, ThreadPool& pool) {
    add_cpu<ActivationForward>(
        table, &ActivationForward::y_NF, [&pool](const ActivationForward& op) {
            const Partition partition = row_parts(op.y_NF.dim(0), op.y_NF.dim(1));
            pool.run(partition.parts(), [&](int64_t part, int) {
                HWY_DYNAMIC_DISPATCH(activation_forward_rows)
                (op, partition.begin(part), partition.end(part));
            });
        });
    add_cpu<ActivationBackward>(
        table, &ActivationBackward::dy_NF,
        [&pool](const ActivationBackward& op) { backward(op, pool); },
        [](const ActivationBackward& op) {
            return static_cast<size_t>(parts_of(op).parts() * op.dcoefficients_P.elements()) *
                   sizeof(double);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
