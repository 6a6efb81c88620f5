#pragma once
// Softmax cross-entropy of rows of logits, with its gradient in the same pass.

#include "ops/op.hpp"

namespace polytrain {

// A target of -1 is not scored: its loss and gradient are 0.
inline constexpr int32_t kNotScored = -1;

// loss_n = log sum_v exp(logits_nv) - logits[n, targets_n], in nats.
// dlogits_nv = softmax_v(logits_n) - [v = targets_n]: every token's loss is seeded with 1, the
// division by the count of scored tokens is the optimizer's. dlogits_NV may alias logits_NV, and
// may be absent when only the loss is wanted.
struct CrossEntropy {
    static constexpr std::string_view kName = "cross_entropy.forward_backward";
    Tensor logits_NV;   // storage
    Tensor targets_N;   // i32, each -1 or in [0, V)
    Tensor loss_N;      // acc
    Tensor dlogits_NV;  // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("logits_NV", &CrossEntropy::logits_NV, Role::kInput);
        f("targets_N", &CrossEntropy::targets_N, Role::kInput);
        f("loss_N", &CrossEntropy::loss_N, Role::kOutput);
        f("dlogits_NV", &CrossEntropy::dlogits_NV, Role::kOutput);
    }
};

}  // namespace polytrain
