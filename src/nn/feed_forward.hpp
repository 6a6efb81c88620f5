#pragma once

#include "nn/linear.hpp"
#include "ops/activation.hpp"

namespace polytrain {

struct FeedForwardShape {
    int64_t width, hidden;
    const ActivationInfo* activation;
    int order;
    bool gated;
    Init init, output_init;
};

// y = W_down f(W_up x), or with `gated` y = W_down (f(W_gate x) * W_up x) where one matrix
// "gate_up" holds W_gate above W_up. The activation's coefficients belong to the layer.
class FeedForward {
  public:
    FeedForward(const std::string& name, const FeedForwardShape& shape);

    std::vector<Parameter*> parameters();
    void plan(const Planner& planner);

    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const;
    // What forward leaves for backward, without y.
    void rebuild(const Pass& pass, const Tensor& x_NC) const;
    // dx_NC is overwritten; x_NC as forward had it.
    void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                  const Tensor& dx_NC) const;

  private:
    void activate(const Pass& pass) const;

    std::string name_;
    FeedForwardShape shape_;
    bool keeps_hidden_ = true;
    Linear up_, down_;
    Parameter coefficients_P_;
    TensorId up_NX_, hidden_NF_, rstd_NR_;
    TensorId dup_NX_, dhidden_NF_, scratch_;
};

}  // namespace polytrain
