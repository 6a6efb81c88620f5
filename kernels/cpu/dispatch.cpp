// Moves between tokens and the rows of their experts: a part owns tokens, and so their rows too.

#include "ops/dispatch.hpp"

#include <array>
#include <cstring>
#include <limits>

#include "kernels/common/groups.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dispatch.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

// to = sum_k weights_k rows[slots_k], or of the rows alone without weights; in the order of k.
template <class T>
void sum_rows(const T* rows_RC, const int32_t* slots_K, const float* weights_K, int64_t k,
              int64_t width, T* to_C) {
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        Lanes sum = zero_lanes();
        for (int64_t i = 0; i < k; ++i) {
            const Lanes row = lanes.read(rows_RC + slots_K[i] * width + c);
            sum = weights_K == nullptr ? sum + row : multiply_add(Lanes(weights_K[i]), row, sum);
        }
        lanes.write(sum, to_C + c);
    });
}

// drow = weight dy; returns the product of dy and row.
template <class T>
float combine_backward_row(const T* dy_C, const T* row_C, float weight, int64_t width, T* drow_C) {
    Lanes dot = zero_lanes();
    for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
        const Lanes dy = lanes.read(dy_C + c);
        dot = multiply_add(dy, lanes.read(row_C + c), dot);
        lanes.write(Lanes(weight) * dy, drow_C + c);
    });
    return sum_of(dot);
}

template <class T>
void combine_backward(const CombineBackward& op, int64_t begin, int64_t end) {
    const int64_t width = op.dy_NC.dim(1), k = op.slots_NK.dim(1);
    for (int64_t i = begin * k; i < end * k; ++i) {
        const int64_t row = op.slots_NK.as<int32_t>()[i] * width;
        op.dweights_NK.as<float>()[i] =
            combine_backward_row(op.dy_NC.as<T>() + i / k * width, op.rows_RC.as<T>() + row,
                                 op.weights_NK.as<float>()[i], width, op.drows_RC.as<T>() + row);
    }
}

}  // namespace

// Tokens [begin, end) of to_NC; weights_NK may be absent.
void sum_rows_of_tokens(const Tensor& rows_RC, const Tensor& slots_NK, const Tensor* weights_NK,
                        const Tensor& to_NC, int64_t begin, int64_t end) {
    const int64_t width = to_NC.dim(1), k = slots_NK.dim(1);
    with_storage(to_NC, [&](auto t) {
        using T = decltype(t);
        for (int64_t n = begin; n < end; ++n)
            sum_rows(rows_RC.as<T>(), slots_NK.as<int32_t>() + n * k,
                     weights_NK == nullptr ? nullptr : weights_NK->as<float>() + n * k, k, width,
                     to_NC.as<T>() + n * width);
    });
}
void combine_backward_tokens(const CombineBackward& op, int64_t begin, int64_t end) {
    with_storage(op.dy_NC, [&](auto t) { combine_backward<decltype(t)>(op, begin, end); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(sum_rows_of_tokens);
HWY_EXPORT(combine_backward_tokens);

constexpr int64_t kPlanExperts = 64;

// The slots of experts [begin, end), at most kPlanExperts: a counting sort.
void plan_experts(const DispatchPlan& op, int64_t begin, int64_t end) {
    const int64_t entries = op.experts_NK.elements(), k = op.experts_NK.dim(1);
    const int32_t* chosen = op.experts_NK.as<int32_t>();
    const int64_t* counts = op.counts_E.as<int64_t>();
    std::array<int64_t, kPlanExperts> next, last, last_token;  // by expert
    int64_t slot = 0;
    for (int64_t e = 0; e < end; ++e) {
        const auto own = static_cast<size_t>(e - begin);
        if (e >= begin) next[own] = slot;
        slot += counts[e];
        if (e >= begin) last[own] = slot;
    }
    last_token.fill(-1);
    for (int64_t i = 0, n = 0; i < entries; ++n)
        for (int64_t j = 0; j < k; ++j, ++i) {
            const int64_t e = checked_index(op.kName, chosen, i, op.counts_E.dim(0));
            if (e < begin || e >= end) continue;
            const auto own = static_cast<size_t>(e - begin);
            PT_CHECK(last_token[own] != n, "{}: token {} has expert {} twice", op.kName, n, e);
            PT_CHECK(next[own] < last[own], "{}: expert {} has more tokens than were counted, {}",
                     op.kName, e, counts[e]);
            last_token[own] = n;
            op.slots_NK.as<int32_t>()[i] = static_cast<int32_t>(next[own]++);
        }
}

void plan(const DispatchPlan& op, ThreadPool& pool) {
    const int64_t entries = op.experts_NK.elements();
    const int64_t* counts = op.counts_E.as<int64_t>();
    int64_t left = entries;
    PT_CHECK(entries <= std::numeric_limits<int32_t>::max(), "{}: {} rows", op.kName, entries);
    for (int64_t e = 0; e < op.counts_E.dim(0); ++e) {
        PT_CHECK(counts[e] >= 0 && counts[e] <= left, "{}: {} tokens of expert {}, {} are left",
                 op.kName, counts[e], e, left);
        left -= counts[e];
    }
    PT_CHECK(left == 0, "{}: {} rows more than were counted", op.kName, left);
    const Partition experts{op.counts_E.dim(0), kPlanExperts};
    pool.run(experts.parts(),
             [&](int64_t part, int) { plan_experts(op, experts.begin(part), experts.end(part)); });
}

// Calls f(begin, end) for parts of the tokens whose slots have been checked.
template <class F>
void for_tokens(std::string_view op, ThreadPool& pool, const Tensor& slots_NK, int64_t width,
                F&& f) {
    const int64_t k = slots_NK.dim(1);
    const Partition tokens = row_parts(slots_NK.dim(0), k * width);
    pool.run(tokens.parts(), [&](int64_t part, int) {
        for (int64_t i = tokens.begin(part) * k; i < tokens.end(part) * k; ++i)
            checked_index(op, slots_NK.as<int32_t>(), i, slots_NK.elements());
        f(tokens.begin(part), tokens.end(part));
    });
}

void dispatch(const DispatchForward& op, ThreadPool& pool) {
    const int64_t k = op.slots_NK.dim(1);
    const auto bytes = op.x_NC.dim(1) * static_cast<int64_t>(size_of(op.x_NC.dtype));
    for_tokens(op.kName, pool, op.slots_NK, op.x_NC.dim(1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin * k; i < end * k; ++i)
            std::memcpy(
                static_cast<std::byte*>(op.rows_RC.data) + op.slots_NK.as<int32_t>()[i] * bytes,
                static_cast<const std::byte*>(op.x_NC.data) + i / k * bytes,
                static_cast<size_t>(bytes));
    });
}

}  // namespace

void register_dispatch(OpTable& table, ThreadPool& pool) {
    table.add<DispatchPlan>(
        {"cpu", {}, [&pool](const DispatchPlan& op, const Stream&) { plan(op, pool); }, {}});
    add_cpu<DispatchForward>(table, &DispatchForward::x_NC,
                             [&pool](const DispatchForward& op) { dispatch(op, pool); });
    add_cpu<DispatchBackward>(
        table, &DispatchBackward::drows_RC, [&pool](const DispatchBackward& op) {
            for_tokens(op.kName, pool, op.slots_NK, op.dx_NC.dim(1), [&](int64_t n, int64_t end) {
                HWY_DYNAMIC_DISPATCH(sum_rows_of_tokens)
                (op.drows_RC, op.slots_NK, nullptr, op.dx_NC, n, end);
            });
        });
    add_cpu<CombineForward>(table, &CombineForward::rows_RC, [&pool](const CombineForward& op) {
        for_tokens(op.kName, pool, op.slots_NK, op.y_NC.dim(1), [&](int64_t n, int64_t end) {
            HWY_DYNAMIC_DISPATCH(sum_rows_of_tokens)
            (op.rows_RC, op.slots_NK, &op.weights_NK, op.y_NC, n, end);
        });
    });
    add_cpu<CombineBackward>(table, &CombineBackward::dy_NC, [&pool](const CombineBackward& op) {
        for_tokens(op.kName, pool, op.slots_NK, op.dy_NC.dim(1), [&](int64_t n, int64_t end) {
            HWY_DYNAMIC_DISPATCH(combine_backward_tokens)(op, n, end);
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
