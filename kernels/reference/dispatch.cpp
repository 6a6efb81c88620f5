#include "ops/dispatch.hpp"

#include <limits>

#include "kernels/common/groups.hpp"
#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// Expert by expert, so that it needs no memory.
void plan(const DispatchPlan& op) {
    const int64_t tokens = op.experts_NK.dim(0), k = op.experts_NK.dim(1);
    const int64_t experts = op.counts_E.dim(0);
    const int32_t* chosen = op.experts_NK.as<int32_t>();
    const int64_t* counts = op.counts_E.as<int64_t>();
    PT_CHECK(tokens * k <= std::numeric_limits<int32_t>::max(), "{}: {} rows", op.kName,
             tokens * k);
    for (int64_t i = 0; i < tokens * k; ++i) checked_index(op.kName, chosen, i, experts);
    int64_t slot = 0;
    for (int64_t e = 0; e < experts; ++e) {
        const int64_t first = slot;
        for (int64_t n = 0; n < tokens; ++n) {
            const int64_t before = slot;
            for (int64_t i = n * k; i < (n + 1) * k; ++i)
                if (chosen[i] == e) op.slots_NK.as<int32_t>()[i] = static_cast<int32_t>(slot++);
            PT_CHECK(slot <= before + 1, "{}: token {} has expert {} twice", op.kName, n, e);
        }
        PT_CHECK(slot - first == counts[e], "{}: expert {} has {} tokens, counted were {}",
                 op.kName, e, slot - first, counts[e]);
    }
}

// Calls f(row, i), i = n K + k, for the rows of token n in the order of k.
template <class F>
void for_rows(std::string_view op, const Tensor& slots_NK, int64_t n, F&& f) {
    const int64_t k = slots_NK.dim(1);
    for (int64_t i = n * k; i < (n + 1) * k; ++i)
        f(checked_index(op, slots_NK.as<int32_t>(), i, slots_NK.elements()), i);
}

// to_n = sum_k weight(n K + k) rows[slots_nk].
template <class T, class Weight>
void sum_rows(std::string_view op, const Tensor& rows_RC, const Tensor& slots_NK,
              const Tensor& to_NC, Weight&& weight) {
    const int64_t width = to_NC.dim(1);
    for (int64_t n = 0; n < to_NC.dim(0); ++n)
        for (int64_t c = 0; c < width; ++c) {
            double sum = 0;
            for_rows(op, slots_NK, n, [&](int64_t row, int64_t i) {
                sum += weight(i) * load(rows_RC.as<T>()[row * width + c]);
            });
            store(to_NC.as<T>()[n * width + c], sum);
        }
}

template <class T>
void dispatch(const DispatchForward& op) {
    const int64_t width = op.x_NC.dim(1);
    for (int64_t n = 0; n < op.x_NC.dim(0); ++n)
        for_rows(op.kName, op.slots_NK, n, [&](int64_t row, int64_t) {
            for (int64_t c = 0; c < width; ++c)
                op.rows_RC.as<T>()[row * width + c] = op.x_NC.as<T>()[n * width + c];
        });
}

template <class T>
void combine_backward(const CombineBackward& op) {
    const int64_t width = op.dy_NC.dim(1);
    for (int64_t n = 0; n < op.dy_NC.dim(0); ++n)
        for_rows(op.kName, op.slots_NK, n, [&](int64_t row, int64_t i) {
            const T* dy = op.dy_NC.as<T>() + n * width;
            const T* values = op.rows_RC.as<T>() + row * width;
            double dot = 0;
            for (int64_t c = 0; c < width; ++c) {
                dot += load(dy[c]) * load(values[c]);
                store(op.drows_RC.as<T>()[row * width + c],
                      load(op.weights_NK.as<Acc<T>>()[i]) * load(dy[c]));
            }
            store(op.dweights_NK.as<Acc<T>>()[i], dot);
        });
}

}  // namespace

void register_dispatch(OpTable& table) {
    table.add<DispatchPlan>(
        {"reference", {}, [](const DispatchPlan& op, const Stream&) { plan(op); }, {}});
    add_reference(table, &DispatchForward::x_NC,
                  [](const DispatchForward& op, auto t) { dispatch<decltype(t)>(op); });
    add_reference(table, &DispatchBackward::drows_RC, [](const DispatchBackward& op, auto t) {
        sum_rows<decltype(t)>(op.kName, op.drows_RC, op.slots_NK, op.dx_NC,
                              [](int64_t) { return 1.0; });
    });
    add_reference(table, &CombineForward::rows_RC, [](const CombineForward& op, auto t) {
        using T = decltype(t);
        sum_rows<T>(op.kName, op.rows_RC, op.slots_NK, op.y_NC,
                    [&](int64_t i) { return load(op.weights_NK.as<Acc<T>>()[i]); });
    });
    add_reference(table, &CombineBackward::dy_NC,
                  [](const CombineBackward& op, auto t) { combine_backward<decltype(t)>(op); });
}

}  // namespace polytrain::reference
