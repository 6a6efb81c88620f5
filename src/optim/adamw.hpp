#pragma once

#include <string>
#include <vector>

#include "nn/layer.hpp"
#include "optim/optimizer_config.hpp"

namespace polytrain {

// AdamW over a model's parameters, with clipping by the global norm. Decay applies to matrices, by
// option to embeddings and gains, and never to PolyCom coefficients. Parameters stored in bf16 have
// an f32 master copy, which is what is updated and saved.
class AdamWOptimizer {
  public:
    AdamWOptimizer(const OptimizerConfig& config, std::vector<Parameter*> parameters);

    void plan(const Planner& planner);

    // Zeroes gradients; before the first micro-batch of a step.
    void zero_gradients(const Pass& pass) const;
    // Zeroes both moments and takes the parameters' values into the masters; at the start of a new
    // run.
    void reset(const Pass& pass) const;
    // Rounds the masters into the parameters' values; after they were read from a checkpoint.
    void store_masters(const Pass& pass) const;
    // The norm of all gradients after the division by `scored`, the global count of scored tokens.
    // Every logical parameter counts once.
    double gradient_norm(const Pass& pass, int64_t scored) const;
    // Update number `update` (from 1; steps that were skipped don't count) at rate `lr`. `norm` is
    // gradient_norm's answer.
    void step(const Pass& pass, int64_t update, double lr, double norm, int64_t scored) const;
    // The first parameter whose gradient, or value, isn't finite, by name; empty if all are.
    std::string first_bad_gradient(const Pass& pass) const;
    std::string first_bad_weight(const Pass& pass) const;

    // Of a parameter, by its index: what is updated (the master copy or the value itself), and the
    // moments.
    TensorId weight(int index) const;
    TensorId m(int index) const { return m_[static_cast<size_t>(index)]; }
    TensorId v(int index) const { return v_[static_cast<size_t>(index)]; }

  private:
    bool decays(const Parameter& parameter) const;
    // Of each parameter's gradient, or value.
    std::vector<double> squared_norms(const Pass& pass, TensorId Parameter::*of) const;
    std::string first_bad(const Pass& pass, TensorId Parameter::*of) const;

    OptimizerConfig config_;
    std::vector<Parameter*> parameters_;
    std::vector<TensorId> m_, v_, masters_, norm_scratch_;  // masters: invalid where there is none
    TensorId squares_;                                      // f64, one a parameter
};

}  // namespace polytrain
