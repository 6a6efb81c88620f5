#pragma once
// Routing of tokens to experts: softmax over the router's logits, then the top k.

#include "ops/op.hpp"

namespace polytrain {

// For each token n, with p_ne = softmax_e(logits_n) and lse_n = log sum_e exp(logits_ne):
//   experts_nk: the K experts of highest p_ne + bias_e, highest first, ties to the lower index
//     (a NaN is chosen last);
//   weights_nk = p_ne of experts_nk, without the bias; with `renormalise` divided by their sum.
// counts_e = how many tokens chose e;
// sums_S = [sum_n p_n0 .. sum_n p_n(E-1), sum_n lse_n^2, sum_n entropy_n], S = E + 2, with
// entropy_n = -sum_e p_ne log p_ne, each summed over a fixed partition of the tokens.
// Sources: Shazeer et al., "Outrageously large neural networks", 2017 (top k); Zoph et al.,
// "ST-MoE", 2022 (lse^2); Wang et al., "Auxiliary-loss-free load balancing", 2024 (bias).
struct RouterForward {
    static constexpr std::string_view kName = "router.forward";
    Tensor logits_NE;   // acc
    Tensor bias_E;      // acc
    Tensor probs_NE;    // acc
    Tensor lse_N;       // acc
    Tensor experts_NK;  // i32
    Tensor weights_NK;  // acc
    Tensor counts_E;    // i64
    Tensor sums_S;      // f64
    bool renormalise = false;
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("logits_NE", &RouterForward::logits_NE, Role::kInput);
        f("bias_E", &RouterForward::bias_E, Role::kInput);
        f("probs_NE", &RouterForward::probs_NE, Role::kOutput);
        f("lse_N", &RouterForward::lse_N, Role::kOutput);
        f("experts_NK", &RouterForward::experts_NK, Role::kOutput);
        f("weights_NK", &RouterForward::weights_NK, Role::kOutput);
        f("counts_E", &RouterForward::counts_E, Role::kOutput);
        f("sums_S", &RouterForward::sums_S, Role::kOutput);
        f("scratch", &RouterForward::scratch, Role::kScratch);
    }
};

// The gradient of  sum_nk dweights_nk weights_nk
//                + balance_scale sum_n sum_e balance_counts_e p_ne  +  z_scale sum_n lse_n^2
// by the logits (balance_counts is a constant here, as is the choice of experts):
//   dp_ne = balance_scale balance_counts_e
//         + [e = experts_nk] (dweights_nk, or with `renormalise`
//                             (dweights_nk - sum_j dweights_nj weights_nj) / sum_j p_n,experts_nj);
//   dlogits_ne = p_ne (dp_ne - sum_f p_nf dp_nf) + 2 z_scale lse_n p_ne.
struct RouterBackward {
    static constexpr std::string_view kName = "router.backward";
    Tensor probs_NE, lse_N, experts_NK, weights_NK;  // as forward left them
    Tensor dweights_NK;                              // acc
    Tensor balance_counts_E;                         // i64
    Tensor dlogits_NE;                               // acc
    bool renormalise = false;
    double balance_scale = 0, z_scale = 0;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("probs_NE", &RouterBackward::probs_NE, Role::kInput);
        f("lse_N", &RouterBackward::lse_N, Role::kInput);
        f("experts_NK", &RouterBackward::experts_NK, Role::kInput);
        f("weights_NK", &RouterBackward::weights_NK, Role::kInput);
        f("dweights_NK", &RouterBackward::dweights_NK, Role::kInput);
        f("balance_counts_E", &RouterBackward::balance_counts_E, Role::kInput);
        f("dlogits_NE", &RouterBackward::dlogits_NE, Role::kOutput);
    }
};

}  // namespace polytrain
