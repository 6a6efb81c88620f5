#pragma once

#include "nn/linear.hpp"
#include "ops/attention.hpp"
#include "ops/rotary.hpp"

namespace polytrain {

struct AttentionConfig {
    int64_t width, heads, kv_heads;  // width = heads * head width
    Init init, output_init;
};

// out = W_out attention(rotary(W_qkv x)), causal; qkv packs query, key and value heads in a row.
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
    std::string name_;
    int64_t width_, heads_, kv_heads_, packed_;
    Linear qkv_, out_;
    int64_t time_ = 0;
    TensorId qkv_NP_, y_NC_, lse_NH_;
    TensorId dqkv_NP_, dy_NC_, forward_scratch_, backward_scratch_;
};

}  // namespace polytrain
