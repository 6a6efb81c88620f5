// Softmax cross-entropy on vector lanes: the row's highest logit, the sum of exponentials, then the
// gradient, with the row in cache after the first pass.

#include "ops/cross_entropy.hpp"

#include <cmath>
#include <limits>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/cross_entropy.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

template <class T>
void rows_of(const CrossEntropy& op, int64_t begin, int64_t end) {
    const int64_t vocabulary = op.logits_NV.dim(1), lanes = lane_count();
    const int64_t whole = vocabulary - vocabulary % lanes;
    for (int64_t n = begin; n < end; ++n) {
        const T* logits = op.logits_NV.as<T>() + n * vocabulary;
        T* dlogits = op.dlogits_NV.present() ? op.dlogits_NV.as<T>() + n * vocabulary : nullptr;
        const int64_t target = op.targets_N.as<int32_t>()[n];
        PT_CHECK(target >= kNotScored && target < vocabulary,
                 "target {} at {} of a vocabulary of {}", target, n, vocabulary);
        if (target == kNotScored) {
            op.loss_N.as<float>()[n] = op.z_loss_N.as<float>()[n] = 0;
            if (dlogits != nullptr) std::fill(dlogits, dlogits + vocabulary, T(0.0f));
            continue;
        }
        Lanes tops(-std::numeric_limits<float>::infinity());
        for (int64_t v = 0; v < whole; v += lanes) tops = max_of(tops, load(logits + v));
        float highest = max_across(tops);
        for (int64_t v = whole; v < vocabulary; ++v)
            highest = std::max(highest, static_cast<float>(logits[v]));

        Lanes sums = zero_lanes();
        for (int64_t v = 0; v < whole; v += lanes)
            sums = sums + exp_of(load(logits + v) - Lanes(highest));
        double sum = sum_of(sums);
        for (int64_t v = whole; v < vocabulary; ++v)
            sum += std::exp(static_cast<double>(logits[v]) - highest);
        const double log_sum = std::log(sum), lse = log_sum + highest;
        const double of_target = static_cast<double>(logits[target]);
        op.loss_N.as<float>()[n] = static_cast<float>(log_sum + (highest - of_target));
        op.z_loss_N.as<float>()[n] = static_cast<float>(op.z_weight * lse * lse);
        if (dlogits == nullptr) continue;
        const double through_lse = 1 + 2 * op.z_weight * lse;
        const Lanes scale(through_lse / sum);
        for_lanes(vocabulary, [&](auto part, int64_t v) HWY_ATTR {
            part.write(exp_of(part.read(logits + v) - Lanes(highest)) * scale, dlogits + v);
        });
        // Anew, so that it is rounded once; its logit may have been overwritten.
        dlogits[target] =
            T(static_cast<float>(std::exp(of_target - highest) / sum * through_lse - 1));
    }
}

void cross_entropy_rows(const CrossEntropy& op, int64_t begin, int64_t end) {
    with_storage(op.logits_NV, [&](auto t) { rows_of<decltype(t)>(op, begin, end); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {

HWY_EXPORT(cross_entropy_rows);

void register_cross_entropy(OpTable& table, ThreadPool& pool) {
    add_cpu<CrossEntropy>(table, &CrossEntropy::logits_NV, [&pool](const CrossEntropy& op) {
        const Partition rows = row_parts(op.logits_NV.dim(0), op.logits_NV.dim(1));
        pool.run(rows.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(cross_entropy_rows)(op, rows.begin(part), rows.end(part));
        });
    });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
