#include "nn/moe.hpp"

#include "ops/dispatch.hpp"
#include "ops/elementwise.hpp"

namespace polytrain {

Moe::Moe(const std::string& name, const MoeShape& shape)
    : name_(name),
      width_(shape.router.width),
      top_k_(shape.router.top_k),
      router_(name + ".router", shape.router),
      exchange_(name, shape.router.experts, shape.router.top_k, shape.router.width),
      experts_(name + ".experts", shape.expert, shape.router.experts,
               shape.coefficients_per_expert) {
    if (shape.shared_hidden > 0) {
        FeedForwardShape shared = shape.expert;
        shared.hidden = shape.shared_hidden;
        shared_.emplace(name + ".shared", shared);
    }
}

std::vector<Parameter*> Moe::parameters() {
    std::vector<Parameter*> all = router_.parameters();
    for (Parameter* parameter : experts_.parameters()) all.push_back(parameter);
    if (shared_)
        for (Parameter* parameter : shared_->parameters()) all.push_back(parameter);
    return all;
}

void Moe::plan(const Planner& planner) {
    const int64_t n = planner.rows();
    const DType dtype = planner.dtype;
    exchange_.plan(planner);
    const Shape here{n * top_k_, width_}, there{exchange_.most_rows(), width_};
    const bool alone = exchange_.is_alone();
    const auto in_block = [&](const char* part, Shape shape, DType type) {
        return planner.saved_in_block(name_ + part, shape, type);
    };
    slots_NK_ = in_block(".slots_NK", {n, top_k_}, DType::kI32);
    outputs_RC_ = in_block(".outputs_RC", here, dtype);
    if (alone) rows_RC_ = in_block(".rows_RC", here, dtype);
    if (!alone) arrived_RC_ = in_block(".arrived_RC", there, dtype);

    const MemoryPlan::Scope scope(planner.plan);
    const auto scratch = [&](const char* part, Shape shape, DType type) {
        return planner.scratch(name_ + part, shape, type);
    };
    if (!alone) {
        rows_RC_ = scratch(".rows_RC", here, dtype);
        made_RC_ = scratch(".made_RC", there, dtype);
    }
    if (shared_) shared_NC_ = scratch(".shared_NC", {n, width_}, dtype);
    if (planner.training) {
        drows_RC_ = scratch(".drows_RC", here, dtype);
        dinputs_RC_ = scratch(".dinputs_RC", here, dtype);
        dweights_NK_ = scratch(".dweights_NK", {n, top_k_}, planner.acc());
        if (!alone) {
            darrived_RC_ = scratch(".darrived_RC", there, dtype);
            dmade_RC_ = scratch(".dmade_RC", there, dtype);
        }
    }
    // A part's scratch lies where later parts keep what their backward reads, where blocks are
    // recomputed: forward goes through the parts in this order, and backward in the other.
    router_.plan(planner);
    if (shared_) shared_->plan(planner);
    experts_.plan(planner, exchange_.most_rows());
}

void Moe::run_experts(const Pass& pass, const Tensor& x_NC) const {
    const int64_t here = x_NC.dim(0) * top_k_;
    const Tensor rows = pass[rows_RC_].rows(0, here), outputs = pass[outputs_RC_].rows(0, here);
    const Tensor counts = router_.counts(pass);
    pass.run(DispatchPlan{router_.experts(pass), counts, slots(pass)});
    pass.run(DispatchForward{x_NC, slots(pass), rows});
    const auto& waves = exchange_.exchange_counts(pass, counts);
    if (exchange_.is_alone()) {
        if (shared_) shared_->forward(pass, x_NC, pass.in_use(shared_NC_));
        return experts_.forward(pass, rows, exchange_.groups(pass, waves[0]), outputs);
    }
    for (const ExpertWave& wave : waves) {
        const Tensor arrived = pass[arrived_RC_].rows(0, wave.rows());
        const Tensor made = pass[made_RC_].rows(0, wave.rows());
        Pending sending = exchange_.to_experts(pass, wave, rows, arrived);
        if (shared_ && &wave == waves.data()) shared_->forward(pass, x_NC, pass.in_use(shared_NC_));
        sending.wait();
        experts_.forward(pass, arrived, exchange_.groups(pass, wave), made);
        exchange_.to_tokens(pass, wave, made, outputs).wait();
    }
}

void Moe::rebuild(const Pass& pass, const Tensor& x_NC) const {
    router_.forward(pass, x_NC);
    run_experts(pass, x_NC);
}

void Moe::forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const {
    rebuild(pass, x_NC);
    pass.run(CombineForward{pass[outputs_RC_].rows(0, x_NC.dim(0) * top_k_), slots(pass),
                            router_.weights(pass), y_NC});
    if (shared_) pass.run(Add{y_NC, pass.in_use(shared_NC_), y_NC});
}

void Moe::experts_backward(const Pass& pass, const Tensor& x_NC, const Tensor& drows_RC,
                           const Tensor& dinputs_RC) const {
    const auto& waves = exchange_.waves();
    // What forward left is the last wave's: each comes once more.
    const bool again = waves.size() > 1;
    if (again) pass.run(DispatchForward{x_NC, slots(pass), pass[rows_RC_]});
    for (const ExpertWave& wave : waves) {
        const int64_t rows = wave.rows();
        const Tensor arrived = pass[arrived_RC_].rows(0, rows);
        const Tensor dmade = pass[dmade_RC_].rows(0, rows);
        const Tensor darrived = pass[darrived_RC_].rows(0, rows);
        const ExpertGroups groups = exchange_.groups(pass, wave);
        Pending gradients = exchange_.to_experts(pass, wave, drows_RC, dmade);
        if (again) {
            exchange_.to_experts(pass, wave, pass[rows_RC_], arrived).wait();
            experts_.rebuild(pass, arrived, groups);
        }
        gradients.wait();
        experts_.backward(pass, dmade, arrived, groups, darrived);
        exchange_.to_tokens(pass, wave, darrived, dinputs_RC).wait();
    }
}

void Moe::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                   const Tensor& dx_NC) const {
    const Tensor drows = pass[drows_RC_], dinputs = pass[dinputs_RC_];
    const Tensor dweights = pass[dweights_NK_];
    pass.run(CombineBackward{dy_NC, pass[outputs_RC_], slots(pass), router_.weights(pass), drows,
                             dweights});
    experts_.begin_backward(pass);
    if (exchange_.is_alone())
        experts_.backward(pass, drows, pass[rows_RC_], exchange_.groups(pass, exchange_.waves()[0]),
                          dinputs);
    else
        experts_backward(pass, x_NC, drows, dinputs);
    experts_.end_backward(pass);
    pass.run(DispatchBackward{dinputs, slots(pass), dx_NC});
    if (shared_) shared_->backward(pass, dy_NC, x_NC, pass[shared_NC_]);
    router_.backward(pass, dweights, x_NC, dx_NC);
    if (shared_) pass.run(Add{dx_NC, pass[shared_NC_], dx_NC});
}

}  // namespace polytrain
