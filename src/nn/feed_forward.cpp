#include "nn/feed_forward.hpp"

namespace polytrain {
namespace {

int64_t up_width(const FeedForwardShape& shape) {
    return shape.gated ? 2 * shape.hidden : shape.hidden;
}

}  // namespace

FeedForward::FeedForward(const std::string& name, const FeedForwardShape& shape)
    : name_(name),
      shape_(shape),
      up_(name + (shape.gated ? ".gate_up" : ".up"), shape.width, up_width(shape), shape.init),
      down_(name + ".down", shape.hidden, shape.width, shape.output_init) {
    const int count = shape.activation->coefficients(shape.order);
    std::vector<double> initial;
    for (int k = 0; k < count; ++k) initial.push_back(shape.activation->initial(k, shape.order));
    coefficients_P_.name = name + ".coefficients";
    coefficients_P_.shape = {count};
    coefficients_P_.init = Init::listed(std::move(initial));
    coefficients_P_.decay = DecayClass::kCoefficient;
}

std::vector<Parameter*> FeedForward::parameters() {
    std::vector<Parameter*> all{up_.parameters()[0], down_.parameters()[0]};
    if (coefficients_P_.shape.elements() > 0) all.push_back(&coefficients_P_);
    return all;
}

void FeedForward::plan(const Planner& planner) {
    const int64_t n = planner.rows();
    const DType dtype = planner.dtype, acc = planner.acc();
    coefficients_P_.dtype = acc;
    planner.declare(coefficients_P_);
    up_NX_ = planner.saved(name_ + ".up_NX", {n, up_width(shape_)}, dtype);
    hidden_NF_ = planner.saved(name_ + ".hidden_NF", {n, shape_.hidden}, dtype);
    rstd_NR_ =
        planner.saved(name_ + ".rstd_NR", {n, shape_.activation->statistics(shape_.order)}, acc);
    const MemoryPlan::Scope scope(planner.plan);
    if (planner.training) {
        dup_NX_ = planner.scratch(name_ + ".dup_NX", {n, up_width(shape_)}, dtype);
        dhidden_NF_ = planner.scratch(name_ + ".dhidden_NF", {n, shape_.hidden}, dtype);
        const MemoryPlan::Scope op_scope(planner.plan);
        const Tensor up = planner.described(up_NX_);
        const Tensor coefficients = Planner::described(coefficients_P_.shape, acc);
        scratch_ = planner.scratch_of(name_ + ".activation",
                                      ActivationBackward{shape_.activation,
                                                         shape_.order,
                                                         shape_.gated,
                                                         up,
                                                         coefficients,
                                                         planner.described(rstd_NR_),
                                                         planner.described(hidden_NF_),
                                                         up,
                                                         coefficients,
                                                         {}});
    }
    up_.plan(planner);
    down_.plan(planner);
}

void FeedForward::forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const {
    const Tensor up = pass[up_NX_], hidden = pass[hidden_NF_];
    up_.forward(pass, x_NC, up);
    pass.run(ActivationForward{shape_.activation, shape_.order, shape_.gated, up,
                               pass[coefficients_P_.value], hidden, pass[rstd_NR_]});
    down_.forward(pass, hidden, y_NC);
}

void FeedForward::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                           const Tensor& dx_NC) const {
    const Tensor dhidden = pass[dhidden_NF_], dup = pass[dup_NX_];
    down_.backward(pass, dy_NC, pass[hidden_NF_], dhidden);
    pass.run(ActivationBackward{shape_.activation, shape_.order, shape_.gated, pass[up_NX_],
                                pass[coefficients_P_.value], pass[rstd_NR_], dhidden, dup,
                                pass[coefficients_P_.gradient], pass[scratch_]});
    up_.backward(pass, dup, x_NC, dx_NC);
}

}  // namespace polytrain
