#pragma once
// Attention of new tokens over the keys and values of all tokens so far, for generation.

#include "ops/op.hpp"

namespace polytrain {

// A row of qkv_NP is packed as AttentionForward has it, for the tokens at `position`, `position` +
// 1,
// ... of one sequence. Writes their keys and values to rows [position, position + N) of the cache,
// whose rows hold G key heads and then G value heads, and attends to rows [0, position + i]:
//   y_i = sum_{j <= position + i} softmax_j(q_i . k_j / sqrt(D)) v_j
struct AttentionCached {
    static constexpr std::string_view kName = "attention_cached.forward";
    Tensor qkv_NP;    // storage
    Tensor cache_TK;  // storage; K = 2 G D
    Tensor y_NQ;      // storage; Q = H D
    Tensor scratch;
    int64_t position = 0, heads = 0, kv_heads = 0;

    int64_t head_width() const { return y_NQ.dim(1) / heads; }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("qkv_NP", &AttentionCached::qkv_NP, Role::kInput);
        f("cache_TK", &AttentionCached::cache_TK, Role::kUpdate);
        f("y_NQ", &AttentionCached::y_NQ, Role::kOutput);
        f("scratch", &AttentionCached::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
