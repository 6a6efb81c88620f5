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
    const Shape hidden{n, shape_.hidden};
    keeps_hidden_ = planner.recompute != Recompute::kActivation;
    up_NX_ = planner.saved_in_block(name_ + ".up_NX", {n, up_width(shape_)}, dtype);
    rstd_NR_ = planner.saved_in_block(name_ + ".rstd_NR",
                                      {n, shape_.activation->statistics(shape_.order)}, acc);
    if (keeps_hidden_) hidden_NF_ = planner.saved_in_block(name_ + ".hidden_NF", hidden, dtype);
    const MemoryPlan::Scope scope(planner.plan);
    if (!keeps_hidden_) hidden_NF_ = planner.scratch(name_ + ".hidden_NF", hidden, dtype);
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

void FeedForward::activate(const Pass& pass) const {
    pass.run(ActivationForward{shape_.activation, shape_.order, shape_.gated, pass.in_use(up_NX_),
                               pass[coefficients_P_.value], pass.in_use(hidden_NF_),
                               pass.in_use(rstd_NR_)});
}

void FeedForward::rebuild(const Pass& pass, const Tensor& x_NC) const {
    up_.forward(pass, x_NC, pass.in_use(up_NX_));
    activate(pass);
}

void FeedForward::forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const {
    rebuild(pass, x_NC);
    down_.forward(pass, pass.in_use(hidden_NF_), y_NC);
}

void FeedForward::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                           const Tensor& dx_NC) const {
    const Tensor dhidden = pass[dhidden_NF_], dup = pass[dup_NX_];
    if (!keeps_hidden_) activate(pass);
    down_.backward(pass, dy_NC, pass[hidden_NF_], dhidden);
    pass.run(ActivationBackward{shape_.activation, shape_.order, shape_.gated, pass[up_NX_],
                                pass[coefficients_P_.value], pass[rstd_NR_], dhidden, dup,
                                pass[coefficients_P_.gradient], pass[scratch_]});
    up_.backward(pass, dup, x_NC, dx_NC);
}

}  // namespace polytrain
