#include "ops/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/groups.hpp"
#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// Writes the row's probabilities; adds to the sums [E + 2].
template <class A>
void softmax(const A* logits, int64_t experts, A* probs, A& lse, double* sums_S) {
    double highest = -std::numeric_limits<double>::infinity();
    for (int64_t e = 0; e < experts; ++e) highest = std::max(highest, load(logits[e]));
    double sum = 0;
    for (int64_t e = 0; e < experts; ++e) sum += std::exp(load(logits[e]) - highest);
    const double exact_lse = highest + std::log(sum);
    store(lse, exact_lse);
    double entropy = 0;
    for (int64_t e = 0; e < experts; ++e) {
        const double p = std::exp(load(logits[e]) - highest) / sum;
        store(probs[e], p);
        sums_S[e] += p;
        if (p != 0) entropy -= p * std::log(p);
    }
    sums_S[experts] += exact_lse * exact_lse;
    sums_S[experts + 1] += entropy;
}

// Whether expert e, not yet chosen, goes before `best`, which has the lower index.
template <class A>
bool is_better(const A* probs, const A* bias, int64_t e, int64_t best) {
    const double of_e = load(probs[e]) + load(bias[e]);
    const double of_best = load(probs[best]) + load(bias[best]);
    return of_e > of_best || (std::isnan(of_best) && !std::isnan(of_e));
}

template <class A>
void choose(const A* probs, const A* bias, int64_t experts, int64_t k, int32_t* chosen) {
    for (int64_t i = 0; i < k; ++i) {
        int64_t best = -1;
        for (int64_t e = 0; e < experts; ++e) {
            if (std::find(chosen, chosen + i, e) != chosen + i) continue;
            if (best < 0 || is_better(probs, bias, e, best)) best = e;
        }
        chosen[i] = static_cast<int32_t>(best);
    }
}

template <class A>
double chosen_sum(const A* probs, const int32_t* chosen, int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += load(probs[chosen[i]]);
    return sum;
}

template <class A>
void forward(const RouterForward& op) {
    const int64_t tokens = op.logits_NE.dim(0), experts = op.logits_NE.dim(1);
    const int64_t k = op.experts_NK.dim(1);
    auto* counts = op.counts_E.as<int64_t>();
    auto* sums = op.sums_S.as<double>();
    std::fill(counts, counts + experts, 0);
    std::fill(sums, sums + experts + 2, 0.0);
    for (int64_t n = 0; n < tokens; ++n) {
        A* probs = op.probs_NE.as<A>() + n * experts;
        int32_t* chosen = op.experts_NK.as<int32_t>() + n * k;
        softmax(op.logits_NE.as<A>() + n * experts, experts, probs, op.lse_N.as<A>()[n], sums);
        choose(probs, op.bias_E.as<A>(), experts, k, chosen);
        const double divisor = op.renormalise ? chosen_sum(probs, chosen, k) : 1.0;
        for (int64_t i = 0; i < k; ++i) {
            store(op.weights_NK.as<A>()[n * k + i], load(probs[chosen[i]]) / divisor);
            ++counts[chosen[i]];
        }
    }
}

template <class A>
void backward(const RouterBackward& op) {
    const int64_t tokens = op.probs_NE.dim(0), experts = op.probs_NE.dim(1);
    const int64_t k = op.experts_NK.dim(1);
    for (int64_t n = 0; n < tokens; ++n) {
        const A* probs = op.probs_NE.as<A>() + n * experts;
        const A* weights = op.weights_NK.as<A>() + n * k;
        const A* dweights = op.dweights_NK.as<A>() + n * k;
        const int32_t* chosen = op.experts_NK.as<int32_t>() + n * k;
        for (int64_t i = 0; i < k; ++i) checked_index(op.kName, chosen, i, experts);
        double divisor = 1, mean = 0;  // of dweights under the weights
        if (op.renormalise) {
            divisor = chosen_sum(probs, chosen, k);
            for (int64_t i = 0; i < k; ++i) mean += load(dweights[i]) * load(weights[i]);
        }
        const auto dp = [&](int64_t e) {
            double sum =
                op.balance_scale * static_cast<double>(op.balance_counts_E.as<int64_t>()[e]);
            for (int64_t i = 0; i < k; ++i)
                if (chosen[i] == e) sum += (load(dweights[i]) - mean) / divisor;
            return sum;
        };
        double through_sum = 0;
        for (int64_t e = 0; e < experts; ++e) through_sum += load(probs[e]) * dp(e);
        const double by_lse = 2 * op.z_scale * load(op.lse_N.as<A>()[n]);
        for (int64_t e = 0; e < experts; ++e)
            store(op.dlogits_NE.as<A>()[n * experts + e],
                  load(probs[e]) * (dp(e) - through_sum + by_lse));
    }
}

}  // namespace

void register_router(OpTable& table) {
    add_reference(table, &RouterForward::logits_NE,
                  [](const RouterForward& op, auto t) { forward<Acc<decltype(t)>>(op); });
    add_reference(table, &RouterBackward::probs_NE,
                  [](const RouterBackward& op, auto t) { backward<Acc<decltype(t)>>(op); });
}

}  // namespace polytrain::reference
