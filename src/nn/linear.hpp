#pragma once

#include "nn/layer.hpp"
#include "ops/linear.hpp"

namespace polytrain {

// y = x W^T, W [out, in], no bias.
class Linear {
  public:
    Linear(std::string name, int64_t in, int64_t out, Init init);

    std::vector<Parameter*> parameters() { return {&weight_}; }
    void plan(const Planner& planner);

    // x_NI -> y_NO.
    void forward(const Pass& pass, const Tensor& x_NI, const Tensor& y_NO) const;
    // dx_NI is overwritten, the weight's gradient added to; x_NI as forward had it.
    void backward(const Pass& pass, const Tensor& dy_NO, const Tensor& x_NI,
                  const Tensor& dx_NI) const;

    const Parameter& weight() const { return weight_; }

  private:
    Parameter weight_;
    TensorId forward_scratch_, input_scratch_, weight_scratch_;
};

}  // namespace polytrain
