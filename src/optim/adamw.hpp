#pragma once

#include <string>
#include <vector>

#include "nn/layer.hpp"
#include "optim/optimizer_config.hpp"

namespace polytrain {

// AdamW over a model's parameters, with clipping by the global norm. Decay applies to matrices
// alone: never to embeddings, gains or PolyCom coefficients.
class AdamWOptimizer {
  public:
    AdamWOptimizer(const OptimizerConfig& config, std::vector<Parameter*> parameters);

    void plan(const Planner& planner);

    // Zeroes gradients; before the first micro-batch of a step.
    void zero_gradients(const Pass& pass) const;
    // Zeroes both moments; at the start of a new run.
    void reset(const Pass& pass) const;
    // The norm of all gradients after the division by `scored`, the global count of scored tokens.
    // Every logical parameter counts once.
    double gradient_norm(const Pass& pass, int64_t scored) const;
    // Update number `update` (from 1; steps that were skipped don't count) at rate `lr`. `norm` is
    // gradient_norm's answer.
    void step(const Pass& pass, int64_t update, double lr, double norm, int64_t scored) const;
    // The first parameter whose gradient, or value, isn't finite, by name; empty if all are.
    std::string first_bad_gradient(const Pass& pass) const;
    std::string first_bad_weight(const Pass& pass) const;

    // Moments of a parameter by its index.
    TensorId m(int index) const { return m_[static_cast<size_t>(index)]; }
    TensorId v(int index) const { return v_[static_cast<size_t>(index)]; }

  private:
    // Of each parameter's gradient, or value.
    std::vector<double> squared_norms(const Pass& pass, TensorId Parameter::*of) const;
    std::string first_bad(const Pass& pass, TensorId Parameter::*of) const;

    OptimizerConfig config_;
    std::vector<Parameter*> parameters_;
    std::vector<TensorId> m_, v_, norm_scratch_;
    TensorId squares_;  // f64, one a parameter
};

}  // namespace polytrain
