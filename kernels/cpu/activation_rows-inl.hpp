// Rows of activations: one pass over each for pointwise functions, two for the row family. Included
// once per instruction set, as lanes-inl.hpp.

#if defined(POLYTRAIN_KERNELS_CPU_ACTIVATION_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_ACTIVATION_ROWS_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_ACTIVATION_ROWS_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_ACTIVATION_ROWS_INL_HPP
#endif

#include <cmath>

#include "kernels/cpu/row_stream-inl.hpp"
#include "ops/activation.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

#undef VALUE_FN
#define VALUE_FN HWY_INLINE
#include "kernels/common/activations/list.hpp"

// A row of x: gates, and behind them as many factors of the results where it is gated.
template <class T, bool kGated>
struct InputRow {
    const T* gates;
    int64_t width;

    template <class Access>
    HWY_INLINE Pair gate(Access access, int64_t j) const {
        return access.read(gates + j);
    }
    template <class Access>
    HWY_INLINE Pair times_up(Pair value, Access access, int64_t j) const {
        if constexpr (kGated) value = value * access.read(gates + width + j);
        return value;
    }
    HWY_INLINE void expect_behind(int64_t j, const RowStream<T>& stream) const {
        stream.expect_behind(gates + j);
        if constexpr (kGated) stream.expect_behind(gates + width + j);
    }
    static InputRow of(const Tensor& x_NX, int64_t n) {
        const int64_t elements = x_NX.dim(1);
        return {x_NX.as<T>() + n * elements, kGated ? elements / 2 : elements};
    }
};

inline Coefficients<Lanes> spread(const Tensor& tensor, int order) {
    Coefficients<Lanes> a;
    a.order = order;
    for (int64_t k = 0; k < tensor.elements(); ++k)
        a.values[k] = Lanes(plain_nan(tensor.as<float>()[k]));
    return a;
}

template <class T, class A, bool kGated>
void pointwise_forward(const ActivationForward& op, int64_t begin, int64_t end) {
    const Coefficients<Lanes> a = spread(op.coefficients_P, op.order);
    const int64_t width = op.y_NF.dim(1);
    const RowStream<T> out(op.y_NF, width);
    const auto value = [&](Pair gate)
                           HWY_ATTR { return Pair(A::value(gate.a, a), A::value(gate.b, a)); };
    for (int64_t n = begin; n < end; ++n) {
        const auto x = InputRow<T, kGated>::of(op.x_NX, n);
        T* y = op.y_NF.as<T>() + n * width;
        for_pairs(width, [&](auto access, int64_t j) HWY_ATTR {
            out.write(access, x.times_up(value(x.gate(access, j)), access, j), y + j);
            x.expect_behind(j, out);
        });
    }
}

// Adds the rows' share of the coefficients' gradients to da.
template <class T, class A, bool kGated>
void pointwise_backward(const ActivationBackward& op, int64_t begin, int64_t end, double* da) {
    const Coefficients<Lanes> a = spread(op.coefficients_P, op.order);
    const int64_t width = op.dy_NF.dim(1);
    const int count = A::coefficients(op.order);
    const RowStream<T> out(op.dx_NX, width);
    for (int64_t n = begin; n < end; ++n) {
        const auto x = InputRow<T, kGated>::of(op.x_NX, n);
        const T* dy = op.dy_NF.as<T>() + n * width;
        T* dx = op.dx_NX.as<T>() + n * op.dx_NX.dim(1);
        Lanes sums[kMaxCoefficients];
        for (int k = 0; k < count; ++k) sums[k] = zero_lanes();
        // One vector after the other: a processor sees further ahead so than by pairs.
        const auto vector = [&](Lanes gate, Lanes dvalue, Lanes up, Lanes& dgate,
                                Lanes& dup) HWY_ATTR {
            Lanes g = dvalue;
            if constexpr (kGated) {
                dup = dvalue * A::value(gate, a);
                g = dvalue * up;
            }
            for (int k = 0; k < count; ++k)
                sums[k] = multiply_add(g, A::d_coefficient(k, gate, a), sums[k]);
            dgate = g * A::d_input(gate, a);
        };
        for_pairs(width, [&](auto access, int64_t j) HWY_ATTR {
            const Pair gate = x.gate(access, j), dvalue = access.read(dy + j);
            Pair up, dgate, dup;
            if constexpr (kGated) up = access.read(x.gates + width + j);
            vector(gate.a, dvalue.a, up.a, dgate.a, dup.a);
            vector(gate.b, dvalue.b, up.b, dgate.b, dup.b);
            if constexpr (kGated) out.write(access, dup, dx + width + j);
            out.write(access, dgate, dx + j);
            x.expect_behind(j, out);
            out.expect_behind(dy + j);
        });
        for (int k = 0; k < count; ++k) da[k] += sum_of(sums[k]);
    }
}

// Loops over powers are written as recursion, up to `last` or `count` of at most kMost: a loop
// would be unrolled too late for GCC to keep what it indexes in registers.

// sum_i c_i b^i.
template <int kMost, int i = 0>
HWY_INLINE Pair polynomial(const float* c, int last, Pair b) {
    if constexpr (i < kMost)
        if (i < last) return multiply_add(polynomial<kMost, i + 1>(c, last, b), b, Pair(c[i]));
    return Pair(c[i]);
}
template <int kMost, int i = 0>
HWY_INLINE void sums_across(const Pair* sums, int count, float* to) {
    if (i == count) return;
    to[i] = sum_of(sums[i]);
    if constexpr (i + 1 < kMost) sums_across<kMost, i + 1>(sums, count, to);
}

// r, at compile time unless kOrder is 0.
template <int kOrder>
struct Order {
    static constexpr int kMost = kOrder > 0 ? kOrder : kMaxActivationOrder;
    int at_run_time;
    HWY_INLINE int get() const { return kOrder > 0 ? kOrder : at_run_time; }
};

// y = c_0 + sum_i c_i b^i with c_i = a_i s_i, b = base(x), s_i = rstd of b^i.
template <int kOrder>
HWY_INLINE void fold(const float* a, const float* rstd, Order<kOrder> order, float* c) {
    c[0] = plain_nan(a[0]);
    for (int i = 1; i <= order.get(); ++i) c[i] = plain_nan(a[i] * rstd[i - 1]);
}

template <class T, class A, int kOrder, bool kGated>
struct PolynomialForward {
    static constexpr int kMost = Order<kOrder>::kMost;

    struct First {
        InputRow<T, kGated> x;
        Order<kOrder> order;
        const RowStream<T>* out;
        Pair squares[kMost] = {};

        template <int i = 0>
        HWY_INLINE void add(Pair b, Pair power) {
            if (i == order.get()) return;
            squares[i] = multiply_add(power, power, squares[i]);
            if constexpr (i + 1 < kMost) add<i + 1>(b, power * b);
        }
        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t j) {
            const Pair b = A::base(x.gate(access, j));
            add(b, b);
            x.expect_behind(j, *out);
        }
    };
    struct Second {
        InputRow<T, kGated> x;
        Order<kOrder> order;
        T* y;
        const RowStream<T>* out;
        float c[kMost + 1];

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t j) const {
            const Pair b = A::base(x.gate(access, j));
            const Pair value = polynomial<kMost>(c, order.get(), b);
            out->write(access, x.times_up(value, access, j), y + j);
        }
    };

    const ActivationForward& op;
    Order<kOrder> order{op.order};
    int64_t width = op.y_NF.dim(1);
    RowStream<T> out{op.y_NF, width};

    HWY_INLINE First first(int64_t n) const {
        return {InputRow<T, kGated>::of(op.x_NX, n), order, &out};
    }
    HWY_INLINE Second second(int64_t n, const First& first) const {
        float* rstd = op.rstd_NR.as<float>() + n * op.rstd_NR.dim(1);
        float squares[kMost];
        sums_across<kMost>(first.squares, order.get(), squares);
        for (int i = 0; i < order.get(); ++i) {
            const double mean = static_cast<double>(squares[i]) / static_cast<double>(width);
            rstd[i] = static_cast<float>(1 / std::sqrt(mean + kRowNormEps));
        }
        Second second{first.x, order, op.y_NF.as<T>() + n * width, &out, {}};
        fold(op.coefficients_P.as<float>(), rstd, order, second.c);
        return second;
    }
};

template <class T, class A, int kOrder, bool kGated>
struct PolynomialBackward {
    static constexpr int kMost = Order<kOrder>::kMost;

    struct First {
        InputRow<T, kGated> x;
        const T* dy;
        Order<kOrder> order;
        const RowStream<T>* out;
        Pair dots[kMost + 1] = {};  // G_i = sum_j g_j b_j^i

        template <int i = 0>
        HWY_INLINE void add(Pair g, Pair b, Pair power) {
            dots[i + 1] = multiply_add(g, power, dots[i + 1]);
            if constexpr (i + 1 < kMost)
                if (i + 1 < order.get()) add<i + 1>(g, b, power * b);
        }
        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t j) {
            const Pair b = A::base(x.gate(access, j));
            const Pair g = x.times_up(access.read(dy + j), access, j);
            dots[0] = dots[0] + g;
            add(g, b, b);
            x.expect_behind(j, *out);
            out->expect_behind(dy + j);
        }
    };
    // dx = (g sum_i linear_i b^i - b sum_i odd_i b^(2i)) base'(x).
    struct Second {
        InputRow<T, kGated> x;
        const T* dy;
        Order<kOrder> order;
        T* dx;
        const RowStream<T>* out;
        float c[kMost + 1], linear[kMost], odd[kMost];

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t j) const {
            const int last = order.get() - 1;
            const Pair gate = x.gate(access, j), dvalue = access.read(dy + j);
            const Pair b = A::base(gate), g = x.times_up(dvalue, access, j);
            const Pair direct = polynomial<kMost - 1>(linear, last, b);
            const Pair through_norm = polynomial<kMost - 1>(odd, last, b * b);
            if constexpr (kGated)
                out->write(access, dvalue * polynomial<kMost>(c, last + 1, b), dx + x.width + j);
            out->write(access, subtract_product(g * direct, b, through_norm) * A::d_base(gate),
                       dx + j);
        }
    };

    const ActivationBackward& op;
    double* da;  // the rows' share is added
    Order<kOrder> order{op.order};
    int64_t width = op.dy_NF.dim(1);
    RowStream<T> out{op.dx_NX, width};

    HWY_INLINE First first(int64_t n) const {
        return {InputRow<T, kGated>::of(op.x_NX, n), op.dy_NF.as<T>() + n * width, order, &out};
    }
    HWY_INLINE Second second(int64_t n, const First& first) const {
        const auto* a = op.coefficients_P.as<float>();
        const float* rstd = op.rstd_NR.as<float>() + n * op.rstd_NR.dim(1);
        float dots[kMost + 1];
        sums_across<kMost + 1>(first.dots, order.get() + 1, dots);
        Second second{first.x, first.dy, order, op.dx_NX.as<T>() + n * op.dx_NX.dim(1),
                      &out,    {},       {},    {}};
        fold(a, rstd, order, second.c);
        da[0] += dots[0];
        for (int i = 1; i <= order.get(); ++i) {
            const double s = rstd[i - 1], dot = dots[i], slope = i * a[i] * s;
            da[i] += s * dot;
            second.linear[i - 1] = plain_nan(static_cast<float>(slope));
            second.odd[i - 1] =
                plain_nan(static_cast<float>(slope * s * s * dot / static_cast<double>(width)));
        }
        return second;
    }
};

}  // namespace
}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
