#pragma once

#include "nn/layer.hpp"
#include "ops/rms_norm.hpp"

namespace polytrain {

// y = x / rms(x) * gain, over the last dimension.
class RmsNorm {
  public:
    RmsNorm(std::string name, int64_t width, double eps);

    std::vector<Parameter*> parameters() { return {&gain_}; }
    void plan(const Planner& planner);

    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const;
    // sum_NC = x_NC + residual_NC, and y_NC of it.
    void forward_sum(const Pass& pass, const Tensor& x_NC, const Tensor& residual_NC,
                     const Tensor& sum_NC, const Tensor& y_NC) const;
    // dx_NC is overwritten; x_NC as forward had it, or its sum_NC.
    void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                  const Tensor& dx_NC) const;
    // The same, added to d_NC, the gradient that reaches x by the skip connection.
    void backward_add(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                      const Tensor& d_NC) const;

  private:
    Parameter gain_;
    double eps_;
    TensorId rstd_N_, scratch_;
};

}  // namespace polytrain
