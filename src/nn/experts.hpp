#pragma once

#include "nn/expert_waves.hpp"
#include "nn/feed_forward.hpp"
#include "ops/grouped_linear.hpp"

namespace polytrain {

// The feed-forward networks of a layer's experts, over groups of rows (ops/grouped_linear.hpp):
// each as FeedForward has it. The coefficients of a learned activation are one set for the layer,
// or one for each expert.
class Experts {
  public:
    Experts(const std::string& name, const FeedForwardShape& shape, int64_t experts,
            bool coefficients_per_expert);

    std::vector<Parameter*> parameters();
    // For at most so many rows.
    void plan(const Planner& planner, int64_t most_rows);

    // x_RC and y_RC: as many rows as the groups have.
    void forward(const Pass& pass, const Tensor& x_RC, const ExpertGroups& groups,
                 const Tensor& y_RC) const;
    // What forward leaves for backward, without y.
    void rebuild(const Pass& pass, const Tensor& x_RC, const ExpertGroups& groups) const;
    // dx_RC is overwritten; x_RC as forward had it. In waves, between begin and end.
    void begin_backward(const Pass& pass) const;
    void backward(const Pass& pass, const Tensor& dy_RC, const Tensor& x_RC,
                  const ExpertGroups& groups, const Tensor& dx_RC) const;
    void end_backward(const Pass& pass) const;

  private:
    // A matrix of each expert with the scratch of its products.
    struct Matrices {
        Parameter weight;  // [E, out, in]
        TensorId forward_scratch, input_scratch, weight_scratch;

        void plan(const Planner& planner, int64_t most_rows, int64_t groups);
    };
    // Of rows [begin, end), with coefficients_P.
    ActivationForward activation(const Pass& pass, int64_t begin, int64_t end,
                                 const Tensor& coefficients_P) const;
    void activate(const Pass& pass, const ExpertGroups& groups) const;
    void activation_backward(const Pass& pass, const ExpertGroups& groups) const;
    void rows_backward(const Pass& pass, int64_t begin, int64_t end, const Tensor& coefficients_P,
                       const Tensor& dcoefficients_P) const;
    // Calls f(group, begin, end) for each group that has rows.
    template <class F>
    void for_each_group(const ExpertGroups& groups, F&& f) const;
    // Row i of a coefficient tensor.
    static Tensor row(const Tensor& tensor_EP, int64_t i);
    // What each group adds to the gradient of the layer's coefficients goes to the rank whose
    // tokens the group is of, and is added there in the order of the experts: as with one rank.
    void add_group_sums(const Pass& pass) const;

    std::string name_;
    FeedForwardShape shape_;
    int64_t experts_, groups_ = 0;
    bool per_expert_, keeps_hidden_ = true;
    // The coefficients' gradient is summed group by group, so that waves change nothing.
    bool sums_by_group_ = false;
    Matrices up_, down_;
    Parameter coefficients_;
    TensorId up_RX_, hidden_RF_, rstd_RS_;
    TensorId dup_RX_, dhidden_RF_, activation_scratch_;
    TensorId group_sums_GP_, own_sums_EP_;  // with exact reduction
};

}  // namespace polytrain
