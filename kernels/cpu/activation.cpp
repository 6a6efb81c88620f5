// Activations on vector lanes. One pass over a row for pointwise functions; for the row family two
// passes over a row that the first has brought into cache.

#include "ops/activation.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activation.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/activation_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

// Run-time storage type, activation and gating to template arguments: f.template operator()<T, A,
// kGated>().
template <class Op, class F>
void with_row(const Op& op, const Tensor& storage, const F& f) {
    with_storage(storage, [&]<class T>(T) {
        with_activation(op.info->index, ActivationList{}, [&]<class A>(A) {
            op.gated ? f.template operator()<T, A, true>() : f.template operator()<T, A, false>();
        });
    });
}

}  // namespace

void activation_forward_rows(const ActivationForward& op, int64_t begin, int64_t end) {
    with_row(op, op.y_NF, [&]<class T, class A, bool kGated>() {
        if constexpr (A::kIsRowPolynomial)
            with_order(op.order, [&]<int kOrder>() HWY_ATTR {
                PolynomialForward<T, A, kOrder, kGated> rows{op};
                for_rows_in_two_passes(begin, end, rows.width, rows);
            });
        else
            pointwise_forward<T, A, kGated>(op, begin, end);
    });
}
void activation_backward_rows(const ActivationBackward& op, int64_t begin, int64_t end,
                              double* da) {
    with_row(op, op.dy_NF, [&]<class T, class A, bool kGated>() {
        if constexpr (A::kIsRowPolynomial)
            with_order(op.order, [&]<int kOrder>() HWY_ATTR {
                PolynomialBackward<T, A, kOrder, kGated> rows{op, da};
                for_rows_in_two_passes(begin, end, rows.width, rows);
            });
        else
            pointwise_backward<T, A, kGated>(op, begin, end, da);
    });
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
