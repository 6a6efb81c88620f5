#pragma once
// Softmax cross-entropy of rows of logits, with its gradient in the same pass.

#include "ops/op.hpp"

namespace polytrain {

// A target of -1 is not scored: its loss and gradient are 0.
inline constexpr int32_t kNotScored = -1;

// With lse_n = log sum_v exp(logits_nv): loss_n = lse_n - logits[n, targets_n], in nats, and
// z_loss_n = z_weight lse_n^2, which keeps the logits from drifting (Chowdhery et al., "PaLM",
// 2022, section 5).
// dlogits_nv = (1 + 2 z_weight lse_n) softmax_v(logits_n) - [v = targets_n]: the gradient of both,
// every token's loss seeded with 1; the division by the count of scored tokens is the optimizer's.
// dlogits_NV may alias logits_NV, and may be absent when only the loss is wanted.
struct CrossEntropy {
    static constexpr std::string_view kName = "cross_entropy.forward_backward";
    Tensor logits_NV;   // storage
    Tensor targets_N;   // i32, each -1 or in [0, V)
    Tensor loss_N;      // acc
    Tensor z_loss_N;    // acc
    Tensor dlogits_NV;  // storage
    double z_weight = 0;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("logits_NV", &CrossEntropy::logits_NV, Role::kInput);
        f("targets_N", &CrossEntropy::targets_N, Role::kInput);
        f("loss_N", &CrossEntropy::loss_N, Role::kOutput);
        f("z_loss_N", &CrossEntropy::z_loss_N, Role::kOutput);
        f("dlogits_NV", &CrossEntropy::dlogits_NV, Role::kOutput);
    }
};

}  // namespace polytrain
