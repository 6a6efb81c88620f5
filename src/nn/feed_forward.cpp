#include "nn/feed_forward.hpp"

namespace polytrain {

Parameter FeedForwardShape::coefficients(const std::string& layer) const {
    const int count = activation->coefficients(order);
    std::vector<double> initial;
    for (int k = 0; k < count; ++k) initial.push_back(activation->initial(k, order));
    Parameter made;
    made.name = layer + ".coefficients";
    made.shape = {count};
    made.init = Init::listed(std::move(initial));
    made.decay = DecayClass::kCoefficient;
    return made;
}

FeedForward::FeedForward(const std::string& name, const FeedForwardShape& shape)
    : name_(name),
      shape_(shape),
      up_(name + (shape.gated ? ".gate_up" : ".up"), shape.width, shape.up_width(), shape.init),
      down_(name + ".down", shape.hidden, shape.width, shape.output_init),
      coefficients_P_(shape.coefficients(name)) {}

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
    up_NX_ = planner.saved_in_block(name_ + ".up_NX", {n, shape_.up_width()}, dtype);
    rstd_NR_ = planner.saved_in_block(name_ + ".rstd_NR",
                                      {n, shape_.activation->statistics(shape_.order)}, acc);
    if (keeps_hidden_) hidden_NF_ = planner.saved_in_block(name_ + ".hidden_NF", hidden, dtype);
    const MemoryPlan::Scope scope(planner.plan);
    if (!keeps_hidden_) hidden_NF_ = planner.scratch(name_ + ".hidden_NF", hidden, dtype);
    if (planner.training) {
        dup_NX_ = planner.scratch(name_ + ".dup_NX", {n, shape_.up_width()}, dtype);
        dhidden_NF_ = planner.scratch(name_ + ".dhidden_NF", {n, shape_.hidden}, dtype);
        const MemoryPlan::Scope op_scope(planner.plan);
        const Tensor up = planner.described(up_NX_);
        const Tensor coefficients = Planner::described(coefficients_P_.shape, acc);
        const Tensor hidden_NF = planner.described(hidden_NF_);
        scratch_ = planner.scratch_of(
            name_ + ".activation",
            shape_.activation_backward(
                shape_.activation_forward(up, coefficients, hidden_NF, planner.described(rstd_NR_)),
                hidden_NF, up, coefficients, {}));
    }
    up_.plan(planner);
    down_.plan(planner);
}

ActivationForward FeedForward::activation(const Pass& pass) const {
    return shape_.activation_forward(pass.in_use(up_NX_), pass[coefficients_P_.value],
                                     pass.in_use(hidden_NF_), pass.in_use(rstd_NR_));
}

void FeedForward::rebuild(const Pass& pass, const Tensor& x_NC) const {
    up_.forward(pass, x_NC, pass.in_use(up_NX_));
    pass.run(activation(pass));
}

void FeedForward::forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const {
    rebuild(pass, x_NC);
    down_.forward(pass, pass.in_use(hidden_NF_), y_NC);
}

void FeedForward::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                           const Tensor& dx_NC) const {
    const Tensor dhidden = pass[dhidden_NF_], dup = pass[dup_NX_];
    if (!keeps_hidden_) pass.run(activation(pass));
    down_.backward(pass, dy_NC, pass[hidden_NF_], dhidden);
    pass.run(shape_.activation_backward(activation(pass), dhidden, dup,
                                        pass[coefficients_P_.gradient], pass[scratch_]));
    up_.backward(pass, dup, x_NC, dx_NC);
}

}  // namespace polytrain
