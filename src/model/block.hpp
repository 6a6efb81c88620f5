#pragma once

#include <memory>
#include <variant>

#include "nn/attention.hpp"
#include "nn/moe.hpp"
#include "nn/rms_norm.hpp"

namespace polytrain {

// A pre-norm Transformer block: mid = x + attention(norm(x)), out = mid + feed_forward(norm(mid)),
// where the feed-forward part may be a mixture of experts.
class Block {
  public:
    Block(const std::string& name, const AttentionConfig& attention,
          const std::variant<FeedForwardShape, MoeShape>& shape, double norm_eps);

    std::vector<Parameter*> parameters();
    void plan(const Planner& planner);

    // Returns out_NC, which is saved: it is the next block's x_NC.
    Tensor forward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD) const;
    // d_NC is the gradient of out and becomes that of x. Where blocks are recomputed, first
    // computes again what forward had left.
    void backward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD,
                  const Tensor& d_NC) const;

    // Null where the block has none.
    const Moe* moe() const { return dynamic_cast<const Moe*>(feed_forward_.get()); }

  private:
    // Up to the input of the feed-forward part.
    void forward_attention(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD) const;

    std::string name_;
    int64_t width_;
    bool recomputed_ = false;
    RmsNorm attention_norm_;
    Attention attention_;
    RmsNorm feed_forward_norm_;
    std::unique_ptr<FeedForwardPart> feed_forward_;
    TensorId attention_in_NC_, mid_NC_, feed_forward_in_NC_, out_NC_;
    TensorId branch_NC_;  // scratch
};

}  // namespace polytrain
