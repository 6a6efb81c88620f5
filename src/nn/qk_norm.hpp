#pragma once

#include "nn/layer.hpp"
#include "ops/qk_norm.hpp"

namespace polytrain {

enum class QkNormKind : uint8_t { kFull, kHead };  // over the whole projection; over each head

// RMSNorm of the queries and keys in the packed projection of attention; values pass through.
class QkNorm {
  public:
    QkNorm(const std::string& name, int64_t heads, int64_t kv_heads, int64_t head_width,
           QkNormKind kind, double eps);

    std::vector<Parameter*> parameters() { return {&gain_q_, &gain_k_}; }
    void plan(const Planner& planner);

    void forward(const Pass& pass, const Tensor& x_NP, const Tensor& y_NP) const;
    // d_NP is the gradient of y and becomes that of x; x_NP as forward had it.
    void backward(const Pass& pass, const Tensor& x_NP, const Tensor& d_NP) const;

  private:
    int64_t heads_, kv_heads_, head_width_;
    bool per_head_;
    double eps_;
    Parameter gain_q_, gain_k_;
    TensorId rstd_NS_, scratch_;
};

}  // namespace polytrain
