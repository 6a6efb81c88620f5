#pragma once

#include <string>
#include <vector>

#include "optim/gradient_reducer.hpp"
#include "optim/optimizer_config.hpp"

namespace polytrain {

// AdamW over a model's learned parameters, with clipping by the global norm. Decay applies to
// matrices, by option to embeddings and gains, and never to PolyCom coefficients. Of parameters
// stored in bf16 it keeps what they lack of an f32 (split_float in core/bf16.hpp); both together
// are what is updated and saved. With sharding, a rank has the state of its shards alone, updates
// these, and gets the others' values.
class AdamWOptimizer {
  public:
    // The reducer must outlive it.
    AdamWOptimizer(const OptimizerConfig& config, Sharding sharding,
                   const std::vector<Parameter*>& parameters, GradientReducer& reducer);

    // After the reducer's.
    void plan(const Planner& planner);

    // Zeroes both moments and the remainders; at the start of a new run.
    void reset(const Pass& pass) const;
    // The norm of the step's gradient after the division by `scored`, the global count of scored
    // tokens. Every logical parameter counts once; the bits are the same on all ranks. After the
    // reducer's end_step.
    double gradient_norm(const Pass& pass, int64_t scored);
    // Update number `update` (from 1; steps that were skipped don't count) at rate `lr`. `norm` is
    // gradient_norm's answer.
    void step(const Pass& pass, int64_t update, double lr, double norm, int64_t scored);
    // The first parameter whose gradient (as gradient_norm saw it), or value, isn't finite, by
    // name; empty if all are. The same on all ranks.
    std::string first_bad_gradient() const { return first_bad(squares_); }
    std::string first_bad_weight(const Pass& pass) const;

    // What a rank saves of a parameter: its shard of the weight and, where there are such, of the
    // remainder and the moments.
    struct State {
        Shard shard;
        Tensor weight, remainder, m, v;
    };
    State own_state(const Pass& pass, const Parameter& parameter) const;
    // What this rank keeps of the moments and remainders: a range of its part of the parameter.
    Shard kept(const Parameter& parameter) const;
    // Of a parameter by its index; remainder and moments hold kept() of it, flat. Invalid where
    // there is none.
    TensorId remainder(int index) const { return remainders_[static_cast<size_t>(index)]; }
    TensorId m(int index) const { return m_[static_cast<size_t>(index)]; }
    TensorId v(int index) const { return v_[static_cast<size_t>(index)]; }

  private:
    bool decays(const Parameter& parameter) const;
    // By parameter, of what `shard` gives of each: this rank's share of it, flat.
    template <class F>
    std::vector<double> squares(const Pass& pass, const F& shard) const;
    std::string first_bad(const std::vector<double>& squares) const;

    OptimizerConfig config_;
    Sharding sharding_;
    std::vector<Parameter*> parameters_;  // learned
    GradientReducer& reducer_;
    Layout layout_;
    std::vector<TensorId> m_, v_, remainders_;  // by index
    std::vector<double> squares_;               // of the last gradient
    TensorId chunk_squares_, sums_;
};

}  // namespace polytrain
