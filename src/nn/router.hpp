#pragma once

#include "nn/linear.hpp"
#include "ops/router.hpp"

namespace polytrain {

// Over which tokens the load that balances is counted: the logical micro-batch; the micro-batches
// that all ranks work on at one time; the whole step.
enum class BalanceScope : uint8_t { kMicro, kMicroDp, kGlobal };

struct RouterShape {
    int64_t width, experts, top_k;
    bool renormalise;
    // Weights in the objective, per token, of E f_e p_e and of lse^2; of one layer.
    double balance, z;
    BalanceScope scope;
    Init init;
};

// The router of a layer: a linear map to the experts' logits, softmax and top-k, all in the
// accumulator type, with the gradients of its auxiliary losses (docs/moe.md).
class Router {
  public:
    Router(const std::string& name, const RouterShape& shape);

    std::vector<Parameter*> parameters() { return {&weight_, &bias_}; }
    void plan(const Planner& planner);

    void forward(const Pass& pass, const Tensor& x_NC) const;
    // Adds to dx_NC what the weights' gradients and the auxiliary losses make. x_NC as forward had
    // it.
    void backward(const Pass& pass, const Tensor& dweights_NK, const Tensor& x_NC,
                  const Tensor& dx_NC) const;

    // What forward leaves.
    Tensor experts(const Pass& pass) const { return pass.in_use(experts_NK_); }
    Tensor weights(const Pass& pass) const { return pass.in_use(weights_NK_); }
    Tensor counts(const Pass& pass) const { return pass[counts_E_]; }
    Tensor sums(const Pass& pass) const { return pass[sums_S_]; }
    // The counts of the scope, where that is more than the micro-batch: to be written between
    // forward and backward.
    Tensor scope_counts(const Pass& pass) const { return pass[scope_counts_E_]; }

    const RouterShape& shape() const { return shape_; }
    // Added to the probabilities for the choice alone; not learned by gradient.
    const Parameter& bias() const { return bias_; }

  private:
    // x in the accumulator type.
    Tensor wide(const Pass& pass, const Tensor& x_NC) const;

    std::string name_;
    RouterShape shape_;
    Parameter weight_, bias_;
    double scope_tokens_ = 0;
    TensorId probs_NE_, lse_N_, experts_NK_, weights_NK_, counts_E_, sums_S_, scope_counts_E_;
    TensorId wide_x_NC_, logits_NE_, dx_NC_, narrow_dx_NC_;  // scratch
    TensorId forward_scratch_, router_scratch_, input_scratch_, weight_scratch_;
};

}  // namespace polytrain
