#include "ops/cross_entropy.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

template <class T>
void forward_backward(const CrossEntropy& op, T) {
    const int64_t vocabulary = op.logits_NV.dim(1);
    for (int64_t n = 0; n < op.logits_NV.dim(0); ++n) {
        const T* logits = op.logits_NV.as<T>() + n * vocabulary;
        const int64_t target = op.targets_N.as<int32_t>()[n];
        PT_CHECK(target >= kNotScored && target < vocabulary,
                 "target {} at {} of a vocabulary of {}", target, n, vocabulary);
        const bool scored = target != kNotScored;
        double highest = load(logits[0]), sum = 0;
        for (int64_t v = 1; v < vocabulary; ++v) highest = std::max(highest, load(logits[v]));
        for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp(load(logits[v]) - highest);
        const double lse = highest + std::log(sum);
        store(op.loss_N.as<Acc<T>>()[n], scored ? lse - load(logits[target]) : 0.0);
        store(op.z_loss_N.as<Acc<T>>()[n], scored ? op.z_weight * lse * lse : 0.0);
        if (!op.dlogits_NV.present()) continue;
        T* dlogits = op.dlogits_NV.as<T>() + n * vocabulary;
        for (int64_t v = 0; v < vocabulary; ++v)
            store(dlogits[v], scored
                                  ? std::exp(load(logits[v]) - lse) * (1 + 2 * op.z_weight * lse) -
                                        (v == target ? 1.0 : 0.0)
                                  : 0.0);
    }
}

}  // namespace

void register_cross_entropy(OpTable& table) {
    add_reference(table, &CrossEntropy::logits_NV,
                  [](auto& op, auto t) { forward_backward(op, t); });
}

}  // namespace polytrain::reference
