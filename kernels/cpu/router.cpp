// Routing on the CPU: exponentials on vector lanes, the rest of a row, which is short, in double.

#include "ops/router.hpp"

#include <cmath>
#include <limits>

#include "kernels/common/groups.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/router.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// Probabilities and lse of tokens [begin, end), whose share is added to sums_S.
void router_softmax_rows(const RouterForward& op, int64_t begin, int64_t end, double* sums_S) {
    const int64_t experts = op.logits_NE.dim(1);
    for (int64_t n = begin; n < end; ++n) {
        const float* logits = op.logits_NE.as<float>() + n * experts;
        float* probs = op.probs_NE.as<float>() + n * experts;
        float highest = -std::numeric_limits<float>::infinity();
        for (int64_t e = 0; e < experts; ++e) highest = std::max(highest, logits[e]);
        for_lanes(experts, [&](auto lanes, int64_t e) HWY_ATTR {
            lanes.write(exp_of(lanes.read(logits + e) - Lanes(highest)), probs + e);
        });
        double sum = 0, weighted = 0;  // weighted by the logit below the highest, -0 of -infinity
        for (int64_t e = 0; e < experts; ++e) {
            sum += probs[e];
            if (probs[e] != 0) weighted += static_cast<double>(probs[e]) * (logits[e] - highest);
        }
        for (int64_t e = 0; e < experts; ++e) {
            const double p = probs[e] / sum;
            probs[e] = static_cast<float>(p);
            sums_S[e] += p;
        }
        const double log_sum = std::log(sum), lse = highest + log_sum;
        op.lse_N.as<float>()[n] = static_cast<float>(lse);
        sums_S[experts] += lse * lse;
        sums_S[experts + 1] += log_sum - weighted / sum;
    }
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(router_softmax_rows);

// A part's sums [E + 2], then its counts [E].
struct PartSums {
    double* sums;
    int64_t* counts;

    PartSums(const RouterForward& op, int64_t part) {
        const int64_t experts = op.counts_E.dim(0);
        sums = static_cast<double*>(op.scratch.data) + part * numbers(experts);
        counts = reinterpret_cast<int64_t*>(sums + experts + 2);
    }
    static int64_t numbers(int64_t experts) { return 2 * experts + 2; }
};

Partition parts_of(const RouterForward& op) {
    return row_parts(op.logits_NE.dim(0), op.logits_NE.dim(1));
}

// The k best, by insertion: an equal goes behind, and a NaN behind all. Ascending indices do the
// rest, so k different experts come out whatever the numbers are.
void choose(const float* probs, const float* bias, int64_t experts, int64_t k, int32_t* chosen) {
    const auto score = [&](int64_t e) { return static_cast<double>(probs[e]) + bias[e]; };
    for (int64_t e = 0; e < experts; ++e) {
        const double own = score(e);
        int64_t place = std::min(e, k);
        while (place > 0) {
            const double above = score(chosen[place - 1]);
            if (!(own > above) && !(std::isnan(above) && !std::isnan(own))) break;
            if (place < k) chosen[place] = chosen[place - 1];
            --place;
        }
        if (place < k) chosen[place] = static_cast<int32_t>(e);
    }
}

void choose_rows(const RouterForward& op, int64_t begin, int64_t end, int64_t* counts_E) {
    const int64_t experts = op.logits_NE.dim(1), k = op.experts_NK.dim(1);
    for (int64_t n = begin; n < end; ++n) {
        const float* probs = op.probs_NE.as<float>() + n * experts;
        int32_t* chosen = op.experts_NK.as<int32_t>() + n * k;
        choose(probs, op.bias_E.as<float>(), experts, k, chosen);
        double divisor = 1;
        if (op.renormalise) {
            divisor = 0;
            for (int64_t i = 0; i < k; ++i) divisor += probs[chosen[i]];
        }
        for (int64_t i = 0; i < k; ++i) {
            op.weights_NK.as<float>()[n * k + i] = static_cast<float>(probs[chosen[i]] / divisor);
            ++counts_E[chosen[i]];
        }
    }
}

void forward(const RouterForward& op, ThreadPool& pool) {
    const int64_t experts = op.counts_E.dim(0);
    const Partition rows = parts_of(op);
    pool.run(rows.parts(), [&](int64_t part, int) {
        const PartSums own(op, part);
        std::fill(own.sums, own.sums + experts + 2, 0.0);
        std::fill(own.counts, own.counts + experts, 0);
        HWY_DYNAMIC_DISPATCH(router_softmax_rows)(op, rows.begin(part), rows.end(part), own.sums);
        choose_rows(op, rows.begin(part), rows.end(part), own.counts);
    });
    auto* sums = op.sums_S.as<double>();
    auto* counts = op.counts_E.as<int64_t>();
    std::fill(sums, sums + experts + 2, 0.0);
    std::fill(counts, counts + experts, 0);
    for (int64_t part = 0; part < rows.parts(); ++part) {
        const PartSums own(op, part);
        for (int64_t s = 0; s < experts + 2; ++s) sums[s] += own.sums[s];
        for (int64_t e = 0; e < experts; ++e) counts[e] += own.counts[e];
    }
}

void backward_row(const RouterBackward& op, int64_t n) {
    const int64_t experts = op.probs_NE.dim(1), k = op.experts_NK.dim(1);
    const float* probs = op.probs_NE.as<float>() + n * experts;
    const float* weights = op.weights_NK.as<float>() + n * k;
    const float* dweights = op.dweights_NK.as<float>() + n * k;
    const int32_t* chosen = op.experts_NK.as<int32_t>() + n * k;
    const int64_t* counts = op.balance_counts_E.as<int64_t>();
    float* dlogits = op.dlogits_NE.as<float>() + n * experts;
    double divisor = 1, mean = 0;  // of dweights under the weights
    if (op.renormalise) {
        divisor = 0;
        for (int64_t i = 0; i < k; ++i) {
            divisor += probs[checked_index(op.kName, chosen, i, experts)];
            mean += static_cast<double>(dweights[i]) * weights[i];
        }
    }
    const auto of_weight = [&](int64_t i) { return (dweights[i] - mean) / divisor; };
    const auto of_balance = [&](int64_t e) {
        return op.balance_scale * static_cast<double>(counts[e]);
    };
    double through_sum = 0;  // sum_e p_e dp_e
    for (int64_t e = 0; e < experts; ++e) through_sum += probs[e] * of_balance(e);
    for (int64_t i = 0; i < k; ++i)
        through_sum += probs[checked_index(op.kName, chosen, i, experts)] * of_weight(i);
    const double shift = 2 * op.z_scale * op.lse_N.as<float>()[n] - through_sum;
    for (int64_t e = 0; e < experts; ++e)
        dlogits[e] = static_cast<float>(probs[e] * (of_balance(e) + shift));
    for (int64_t i = 0; i < k; ++i) {  // anew, so that it is rounded once
        const int64_t e = chosen[i];
        dlogits[e] = static_cast<float>(probs[e] * (of_balance(e) + of_weight(i) + shift));
    }
}

}  // namespace

void register_router(OpTable& table, ThreadPool& pool) {
    add_cpu<RouterForward>(
        table, &RouterForward::logits_NE, [&pool](const RouterForward& op) { forward(op, pool); },
        [](const RouterForward& op) {
            static_assert(sizeof(double) == sizeof(int64_t));
            return static_cast<size_t>(parts_of(op).parts() *
                                       PartSums::numbers(op.logits_NE.dim(1))) *
                   sizeof(double);
        });
    add_cpu<RouterBackward>(table, &RouterBackward::probs_NE, [&pool](const RouterBackward& op) {
        const Partition rows = row_parts(op.probs_NE.dim(0), op.probs_NE.dim(1));
        pool.run(rows.parts(), [&](int64_t part, int) {
            for (int64_t n = rows.begin(part); n < rows.end(part); ++n) backward_row(op, n);
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
