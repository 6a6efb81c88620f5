#pragma once
// Causal softmax attention with grouped key-value heads, never storing T x T scores
// (Dao et al., "FlashAttention", 2022).

#include "ops/op.hpp"

namespace polytrain {

// A row of qkv_NP holds H query heads, then G key heads, then G value heads, each D wide:
// P = (H + 2G) D. Row n is position n mod T of sequence n / T. Query head h reads group h / (H/G).
//   y_i = sum_{j<=i} softmax_j(q_i . k_j / sqrt(D)) v_j;   lse_i = log sum_j exp(q_i . k_j /
//   sqrt(D))
struct AttentionForward {
    static constexpr std::string_view kName = "attention.forward";
    Tensor qkv_NP;  // storage
    Tensor y_NQ;    // storage; Q = H D
    Tensor lse_NH;  // acc
    Tensor scratch;
    int64_t time = 0, heads = 0, kv_heads = 0;

    int64_t head_width() const { return y_NQ.dim(1) / heads; }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("qkv_NP", &AttentionForward::qkv_NP, Role::kInput);
        f("y_NQ", &AttentionForward::y_NQ, Role::kOutput);
        f("lse_NH", &AttentionForward::lse_NH, Role::kOutput);
        f("scratch", &AttentionForward::scratch, Role::kScratch);
    }
};

// With p_ij = exp(q_i . k_j / sqrt(D) - lse_i) and delta_i = sum_d dy_id y_id:
//   dv_j = sum_i p_ij dy_i;  ds_ij = p_ij (dy_i . v_j - delta_i) / sqrt(D);
//   dq_i = sum_j ds_ij k_j;  dk_j = sum_i ds_ij q_i.   Sums run in a fixed order.
struct AttentionBackward {
    static constexpr std::string_view kName = "attention.backward";
    Tensor qkv_NP, y_NQ, lse_NH;  // as forward had and left them
    Tensor dy_NQ;                 // storage
    Tensor dqkv_NP;               // storage
    Tensor scratch;
    int64_t time = 0, heads = 0, kv_heads = 0;

    int64_t head_width() const { return y_NQ.dim(1) / heads; }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("qkv_NP", &AttentionBackward::qkv_NP, Role::kInput);
        f("y_NQ", &AttentionBackward::y_NQ, Role::kInput);
        f("lse_NH", &AttentionBackward::lse_NH, Role::kInput);
        f("dy_NQ", &AttentionBackward::dy_NQ, Role::kInput);
        f("dqkv_NP", &AttentionBackward::dqkv_NP, Role::kOutput);
        f("scratch", &AttentionBackward::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
