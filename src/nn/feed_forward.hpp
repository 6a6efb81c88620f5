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

    int64_t up_width() const { return gated ? 2 * hidden : hidden; }
    // The activation's ops on these tensors.
    ActivationForward activation_forward(const Tensor& x_NX, const Tensor& coefficients_P,
                                         const Tensor& y_NF, const Tensor& rstd_NR) const {
        return {activation, order, gated, x_NX, coefficients_P, y_NF, rstd_NR};
    }
    ActivationBackward activation_backward(const ActivationForward& forward, const Tensor& dy_NF,
                                           const Tensor& dx_NX, const Tensor& dcoefficients_P,
                                           const Tensor& scratch) const {
        return {activation,      order, gated, forward.x_NX,    forward.coefficients_P,
                forward.rstd_NR, dy_NF, dx_NX, dcoefficients_P, scratch};
    }
    // The activation's learned numbers, of no element where it has none.
    Parameter coefficients(const std::string& layer) const;
};

// What a block's second half is made of: a feed-forward network, or a mixture of them.
class FeedForwardPart {
  public:
    virtual ~FeedForwardPart() = default;
    virtual std::vector<Parameter*> parameters() = 0;
    virtual void plan(const Planner& planner) = 0;
    virtual void forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const = 0;
    // What forward leaves for backward, without y.
    virtual void rebuild(const Pass& pass, const Tensor& x_NC) const = 0;
    // dx_NC is overwritten; x_NC as forward had it.
    virtual void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                          const Tensor& dx_NC) const = 0;
};

// y = W_down f(W_up x), or with `gated` y = W_down (f(W_gate x) * W_up x) where one matrix
// "gate_up" holds W_gate above W_up. The activation's coefficients belong to the layer.
class FeedForward final : public FeedForwardPart {
  public:
    FeedForward(const std::string& name, const FeedForwardShape& shape);

    std::vector<Parameter*> parameters() override;
    void plan(const Planner& planner) override;

    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const override;
    void rebuild(const Pass& pass, const Tensor& x_NC) const override;
    void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                  const Tensor& dx_NC) const override;

  private:
    ActivationForward activation(const Pass& pass) const;

    std::string name_;
    FeedForwardShape shape_;
    bool keeps_hidden_ = true;
    Linear up_, down_;
    Parameter coefficients_P_;
    TensorId up_NX_, hidden_NF_, rstd_NR_;
    TensorId dup_NX_, dhidden_NF_, scratch_;
};

}  // namespace polytrain
