#pragma once
// RMSNorm of the queries and keys in a packed projection, before the rotary positions: over the
// whole projection, before it is split into heads (OLMoE, arXiv 2409.02060), or over each head
// with one gain for all (Dehghani et al., "Scaling vision transformers to 22B", 2023).

#include "ops/op.hpp"

namespace polytrain {

// A row of x_NP is packed as AttentionForward has it: H query heads, G key heads, G value heads,
// each D wide. Its segments are the queries and the keys, or with `per_head` each of the H + G
// heads; S is their number. Per segment of width W
//   rstd = 1 / sqrt(mean(x^2) + eps);  y = x rstd gain,
// gain_q of H D elements for the queries and gain_k of G D for the keys, or with `per_head` both of
// D. Values are copied.
struct QkNormForward {
    static constexpr std::string_view kName = "qk_norm.forward";
    Tensor x_NP;            // storage
    Tensor gain_q, gain_k;  // acc
    Tensor y_NP;            // storage
    Tensor rstd_NS;         // acc
    int64_t heads = 0, kv_heads = 0;
    bool per_head = false;
    double eps = 1e-5;

    int64_t head_width() const { return x_NP.dim(1) / (heads + 2 * kv_heads); }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NP", &QkNormForward::x_NP, Role::kInput);
        f("gain_q", &QkNormForward::gain_q, Role::kInput);
        f("gain_k", &QkNormForward::gain_k, Role::kInput);
        f("y_NP", &QkNormForward::y_NP, Role::kOutput);
        f("rstd_NS", &QkNormForward::rstd_NS, Role::kOutput);
    }
};

// In place: d_NP is the gradient of y and becomes that of x, per segment
//   dx = rstd (h - xhat mean(h xhat)) with xhat = x rstd, h = dy gain;  dgain += sum_n dy xhat.
struct QkNormBackward {
    static constexpr std::string_view kName = "qk_norm.backward";
    Tensor x_NP, gain_q, gain_k, rstd_NS;  // as forward had and left them
    Tensor d_NP;                           // storage
    Tensor dgain_q, dgain_k;               // acc
    Tensor scratch;
    int64_t heads = 0, kv_heads = 0;
    bool per_head = false;

    int64_t head_width() const { return x_NP.dim(1) / (heads + 2 * kv_heads); }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NP", &QkNormBackward::x_NP, Role::kInput);
        f("gain_q", &QkNormBackward::gain_q, Role::kInput);
        f("gain_k", &QkNormBackward::gain_k, Role::kInput);
        f("rstd_NS", &QkNormBackward::rstd_NS, Role::kInput);
        f("d_NP", &QkNormBackward::d_NP, Role::kUpdate);
        f("dgain_q", &QkNormBackward::dgain_q, Role::kSum);
        f("dgain_k", &QkNormBackward::dgain_k, Role::kSum);
        f("scratch", &QkNormBackward::scratch, Role::kScratch);
    }
};

// Calls f(segment, first column, width, whether it is of the queries) for each segment of a row.
template <class Op, class F>
void for_each_segment(const Op& op, F&& f) {
    const int64_t queries = op.heads * op.head_width(), keys = op.kv_heads * op.head_width();
    const int64_t segments = op.per_head ? op.heads + op.kv_heads : 2;
    for (int64_t s = 0; s < segments; ++s) {
        if (op.per_head)
            f(s, s * op.head_width(), op.head_width(), s < op.heads);
        else
            f(s, s == 0 ? int64_t{0} : queries, s == 0 ? queries : keys, s == 0);
    }
}

}  // namespace polytrain
