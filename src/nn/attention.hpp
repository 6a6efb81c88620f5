#pragma once

#include <optional>

#include "nn/linear.hpp"
#include "nn/qk_norm.hpp"
#include "ops/attention.hpp"
#include "ops/attention_cached.hpp"
#include "ops/rotary.hpp"

namespace polytrain {

struct AttentionConfig {
    int64_t width, heads, kv_heads;  // width = heads * head width
    Init init, output_init;
    std::optional<QkNormKind> qk_norm;
    double norm_eps;
};

// out = W_out attention(rotary(norm(W_qkv x))), causal; qkv packs query, key and value heads in a
// row, and the norm of queries and keys is optional. Where a cache is planned, forward appends the
// keys and values of each of the pass's segments to it and attends to all that it then holds.
class Attention {
  public:
    Attention(const std::string& name, const AttentionConfig& config);

    std::vector<Parameter*> parameters();
    void plan(const Planner& planner);

    // rotary_TD: the table of RotaryTable for the pass's positions.
    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD,
                 const Tensor& out_NC) const;
    // dx_NC is overwritten; x_NC and rotary_TD as forward had them.
    void backward(const Pass& pass, const Tensor& dout_NC, const Tensor& x_NC,
                  const Tensor& rotary_TD, const Tensor& dx_NC) const;

  private:
    // The heads as attention sees them, normed and turned, out of the projection.
    Tensor turned_heads(const Pass& pass, const Tensor& rotary_TD) const;
    void attend_to_cache(const Pass& pass, const Tensor& heads_NP, const Tensor& y_NC) const;

    std::string name_;
    int64_t width_, heads_, kv_heads_, packed_;
    Linear qkv_, out_;
    std::optional<QkNorm> norm_;
    int64_t time_ = 0;
    TensorId qkv_NP_, y_NC_, lse_NH_, cache_TK_;
    TensorId turned_NP_, dqkv_NP_, dy_NC_, forward_scratch_, backward_scratch_;
};

}  // namespace polytrain
