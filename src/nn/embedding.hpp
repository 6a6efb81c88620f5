#pragma once

#include "nn/layer.hpp"
#include "ops/embedding.hpp"

namespace polytrain {

// y_n = table[ids_n].
class Embedding {
  public:
    Embedding(std::string name, int64_t vocabulary, int64_t width, Init init);

    std::vector<Parameter*> parameters() { return {&table_VC_}; }
    void plan(const Planner& planner);

    void forward(const Pass& pass, const Tensor& ids_N, const Tensor& y_NC) const;
    void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& ids_N) const;

    const Parameter& table() const { return table_VC_; }

  private:
    Parameter table_VC_;
    TensorId scratch_;
};

}  // namespace polytrain
