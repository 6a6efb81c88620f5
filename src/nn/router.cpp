#include "nn/router.hpp"

#include "ops/elementwise.hpp"

namespace polytrain {

Router::Router(const std::string& name, const RouterShape& shape) : name_(name), shape_(shape) {
    weight_.name = name + ".weight";
    weight_.shape = {shape.experts, shape.width};
    weight_.init = shape.init;
    bias_.name = name + ".bias";
    bias_.shape = {shape.experts};
    bias_.init = Init::constant(0);
    bias_.learned = false;
}

void Router::plan(const Planner& planner) {
    const int64_t n = planner.rows(), experts = shape_.experts, top_k = shape_.top_k;
    const DType acc = planner.acc();
    const bool is_narrow = planner.dtype != acc;
    weight_.dtype = bias_.dtype = acc;
    planner.declare(weight_);
    planner.declare(bias_);
    scope_tokens_ = static_cast<double>(n);
    if (shape_.scope == BalanceScope::kMicroDp) scope_tokens_ *= planner.layout.ranks;
    if (shape_.scope == BalanceScope::kGlobal)
        scope_tokens_ = static_cast<double>(planner.step_rows);

    const auto in_block = [&](const char* part, Shape shape, DType type) {
        return planner.saved_in_block(name_ + part, shape, type);
    };
    probs_NE_ = in_block(".probs_NE", {n, experts}, acc);
    lse_N_ = in_block(".lse_N", {n}, acc);
    experts_NK_ = in_block(".experts_NK", {n, top_k}, DType::kI32);
    weights_NK_ = in_block(".weights_NK", {n, top_k}, acc);
    // Read after the whole forward pass, also where blocks are recomputed.
    counts_E_ = planner.plan.add(name_ + ".counts_E", {experts}, DType::kI64, Life::kData);
    sums_S_ = planner.plan.add(name_ + ".sums_S", {experts + 2}, DType::kF64, Life::kData);
    scope_counts_E_ =
        shape_.scope == BalanceScope::kMicro
            ? counts_E_
            : planner.plan.add(name_ + ".scope_counts_E", {experts}, DType::kI64, Life::kData);

    const MemoryPlan::Scope scope(planner.plan);
    const auto scratch = [&](const char* part, Shape shape, DType type) {
        return planner.scratch(name_ + part, shape, type);
    };
    const Tensor x = Planner::described({n, shape_.width}, acc);
    const Tensor logits = Planner::described({n, experts}, acc);
    const Tensor w = Planner::described(weight_.shape, acc);
    if (is_narrow) wide_x_NC_ = scratch(".wide_x_NC", x.shape, acc);
    logits_NE_ = scratch(".logits_NE", logits.shape, acc);
    if (planner.training) {
        dx_NC_ = scratch(".dx_NC", x.shape, acc);
        if (is_narrow) narrow_dx_NC_ = scratch(".narrow_dx_NC", x.shape, planner.dtype);
    }
    const auto op_scratch = [&](const char* part, const auto&... op) {
        const MemoryPlan::Scope op_scope(planner.plan);
        return planner.scratch_of(name_ + part, op...);
    };
    const int64_t least = planner.cache > 0 ? 1 : n;  // a decoder takes the planned rows or one
    forward_scratch_ = op_scratch(".forward", LinearForward{x, w, logits, {}},
                                  LinearForward{Planner::described({least, shape_.width}, acc),
                                                w,
                                                Planner::described({least, experts}, acc),
                                                {}});
    router_scratch_ = op_scratch(".router", RouterForward{logits,
                                                          Planner::described(bias_.shape, acc),
                                                          logits,
                                                          planner.described(lse_N_),
                                                          planner.described(experts_NK_),
                                                          planner.described(weights_NK_),
                                                          planner.described(counts_E_),
                                                          planner.described(sums_S_),
                                                          shape_.renormalise,
                                                          {}});
    if (!planner.training) return;
    input_scratch_ = op_scratch(".backward_input", LinearBackwardInput{logits, w, x, {}});
    weight_scratch_ = op_scratch(".backward_weight", LinearBackwardWeight{logits, x, w, {}});
}

Tensor Router::wide(const Pass& pass, const Tensor& x_NC) const {
    if (!wide_x_NC_.valid()) return x_NC;
    const Tensor wide_x = pass.in_use(wide_x_NC_);
    pass.run(Convert{x_NC, wide_x});
    return wide_x;
}

void Router::forward(const Pass& pass, const Tensor& x_NC) const {
    const Tensor logits = pass.in_use(logits_NE_);
    pass.run(LinearForward{wide(pass, x_NC), pass[weight_.value], logits, pass[forward_scratch_]});
    pass.run(RouterForward{logits, pass[bias_.value], pass.in_use(probs_NE_), pass.in_use(lse_N_),
                           experts(pass), weights(pass), counts(pass), sums(pass),
                           shape_.renormalise, pass[router_scratch_]});
}

void Router::backward(const Pass& pass, const Tensor& dweights_NK, const Tensor& x_NC,
                      const Tensor& dx_NC) const {
    const Tensor dlogits = pass[logits_NE_], dx = pass[dx_NC_];
    RouterBackward op{pass[probs_NE_], pass[lse_N_],       experts(pass), weights(pass),
                      dweights_NK,     scope_counts(pass), dlogits,       shape_.renormalise};
    // The objective has balance E sum_e f_e P_e with f_e = counts_e / (K scope_tokens); divided by
    // the routed tokens in the end.
    op.balance_scale = shape_.balance * static_cast<double>(shape_.experts) * pass.auxiliary_seed /
                       (static_cast<double>(shape_.top_k) * scope_tokens_);
    op.z_scale = shape_.z * pass.auxiliary_seed;
    pass.run(op);
    pass.run(LinearBackwardWeight{dlogits, wide(pass, x_NC), pass[weight_.gradient],
                                  pass[weight_scratch_]});
    pass.run(LinearBackwardInput{dlogits, pass[weight_.value], dx, pass[input_scratch_]});
    Tensor added = dx;
    if (narrow_dx_NC_.valid()) {
        added = pass[narrow_dx_NC_];
        pass.run(Convert{dx, added});
    }
    pass.run(Add{dx_NC, added, dx_NC});
}

}  // namespace polytrain
