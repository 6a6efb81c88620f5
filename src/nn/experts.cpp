#include "nn/experts.hpp"

#include "ops/elementwise.hpp"

namespace polytrain {

Experts::Experts(const std::string& name, const FeedForwardShape& shape, int64_t experts,
                 bool coefficients_per_expert)
    : name_(name),
      shape_(shape),
      experts_(experts),
      per_expert_(coefficients_per_expert),
      coefficients_(shape.coefficients(name)) {
    const auto matrices = [&](Matrices& made, const char* part, int64_t out, int64_t in,
                              const Init& init) {
        made.weight.name = name + part;
        made.weight.shape = {experts, out, in};
        made.weight.init = init;
        made.weight.replication = Replication::kExperts;
    };
    matrices(up_, shape.gated ? ".gate_up" : ".up", shape.up_width(), shape.width, shape.init);
    matrices(down_, ".down", shape.width, shape.hidden, shape.output_init);
    if (per_expert_) {
        coefficients_.shape = {experts, coefficients_.shape[0]};
        coefficients_.replication = Replication::kExperts;
    }
}

std::vector<Parameter*> Experts::parameters() {
    std::vector<Parameter*> all{&up_.weight, &down_.weight};
    if (coefficients_.shape.elements() > 0) all.push_back(&coefficients_);
    return all;
}

void Experts::Matrices::plan(const Planner& planner, int64_t most_rows, int64_t groups) {
    weight.dtype = planner.dtype;
    planner.declare(weight);
    const int64_t out = weight.shape[1], in = weight.shape[2];
    const Tensor x = Planner::described({most_rows, in}, planner.dtype);
    const Tensor y = Planner::described({most_rows, out}, planner.dtype);
    const Tensor w = Planner::described(weight.local_shape, planner.dtype);
    const Tensor offsets = Planner::described({groups + 1}, DType::kI64);
    const auto scratch = [&](const char* what, const auto& op) {
        const MemoryPlan::Scope scope(planner.plan);
        return planner.scratch_of(weight.name + what, op);
    };
    forward_scratch = scratch(".forward", GroupedLinearForward{x, w, y, offsets, {}});
    if (!planner.training) return;
    input_scratch = scratch(".backward_input", GroupedLinearBackwardInput{y, w, x, offsets, {}});
    const Tensor dw = planner.described(weight.gradient);
    weight_scratch =
        scratch(".backward_weight", GroupedLinearBackwardWeight{y, x, dw, offsets, {}});
}

void Experts::plan(const Planner& planner, int64_t most_rows) {
    const DType dtype = planner.dtype, acc = planner.acc();
    groups_ = experts_;  // those of this rank, once for each rank of the group
    coefficients_.dtype = acc;
    planner.declare(coefficients_);
    sums_by_group_ = planner.layout.expert > 1 && planner.expert_rows > 0;
    keeps_hidden_ = planner.recompute != Recompute::kActivation;
    const Shape up{most_rows, shape_.up_width()}, hidden{most_rows, shape_.hidden};
    const auto in_block = [&](const char* part, Shape shape, DType type) {
        return planner.saved_in_block(name_ + part, shape, type);
    };
    up_RX_ = in_block(".up_RX", up, dtype);
    rstd_RS_ = in_block(".rstd_RS", {most_rows, shape_.activation->statistics(shape_.order)}, acc);
    if (keeps_hidden_) hidden_RF_ = in_block(".hidden_RF", hidden, dtype);
    const MemoryPlan::Scope scope(planner.plan);
    if (!keeps_hidden_) hidden_RF_ = planner.scratch(name_ + ".hidden_RF", hidden, dtype);
    if (planner.training) {
        dup_RX_ = planner.scratch(name_ + ".dup_RX", up, dtype);
        dhidden_RF_ = planner.scratch(name_ + ".dhidden_RF", hidden, dtype);
        const int64_t count = coefficients_.unit();
        if (planner.exact && !per_expert_ && count > 0) {
            group_sums_GP_ = planner.scratch(name_ + ".group_sums_GP", {groups_, count}, acc);
            own_sums_EP_ = planner.scratch(name_ + ".own_sums_EP", {experts_, count}, acc);
        }
        const MemoryPlan::Scope op_scope(planner.plan);
        const Tensor up_RX = Planner::described(up, dtype);
        const Tensor hidden_RF = Planner::described(hidden, dtype);
        const Tensor coefficients = Planner::described({count}, acc);
        activation_scratch_ = planner.scratch_of(
            name_ + ".activation",
            shape_.activation_backward(shape_.activation_forward(up_RX, coefficients, hidden_RF,
                                                                 planner.described(rstd_RS_)),
                                       hidden_RF, up_RX, coefficients, {}));
    }
    up_.plan(planner, most_rows, groups_);
    down_.plan(planner, most_rows, groups_);
}

Tensor Experts::row(const Tensor& tensor_EP, int64_t i) {
    return tensor_EP.rows(i, i + 1).reshaped({tensor_EP.dim(1)});
}

template <class F>
void Experts::for_each_group(const ExpertGroups& groups, F&& f) const {
    for (int64_t g = 0; g < groups_; ++g) {
        const auto at = static_cast<size_t>(g);
        if (groups.host[at] < groups.host[at + 1]) f(g, groups.host[at], groups.host[at + 1]);
    }
}

ActivationForward Experts::activation(const Pass& pass, int64_t begin, int64_t end,
                                      const Tensor& coefficients_P) const {
    return shape_.activation_forward(pass[up_RX_].rows(begin, end), coefficients_P,
                                     pass[hidden_RF_].rows(begin, end),
                                     pass[rstd_RS_].rows(begin, end));
}

void Experts::activate(const Pass& pass, const ExpertGroups& groups) const {
    const Tensor coefficients = pass[coefficients_.value];
    if (!per_expert_) return pass.run(activation(pass, 0, groups.rows(), coefficients));
    for_each_group(groups, [&](int64_t g, int64_t begin, int64_t end) {
        pass.run(activation(pass, begin, end, row(coefficients, g % coefficients.dim(0))));
    });
}

void Experts::rebuild(const Pass& pass, const Tensor& x_RC, const ExpertGroups& groups) const {
    pass.run(GroupedLinearForward{x_RC, pass[up_.weight.value], pass[up_RX_].rows(0, groups.rows()),
                                  groups.offsets_G, pass[up_.forward_scratch], groups.host.data()});
    activate(pass, groups);
}

void Experts::forward(const Pass& pass, const Tensor& x_RC, const ExpertGroups& groups,
                      const Tensor& y_RC) const {
    rebuild(pass, x_RC, groups);
    pass.run(GroupedLinearForward{pass[hidden_RF_].rows(0, groups.rows()), pass[down_.weight.value],
                                  y_RC, groups.offsets_G, pass[down_.forward_scratch],
                                  groups.host.data()});
}

void Experts::begin_backward(const Pass& pass) const {
    if (group_sums_GP_.valid()) pass.stream.zero(pass[group_sums_GP_]);
}

void Experts::backward(const Pass& pass, const Tensor& dy_RC, const Tensor& x_RC,
                       const ExpertGroups& groups, const Tensor& dx_RC) const {
    const int64_t rows = groups.rows();
    const Tensor offsets = groups.offsets_G;
    const int64_t* const host = groups.host.data();
    const Tensor hidden = pass[hidden_RF_].rows(0, rows);
    const Tensor dhidden = pass[dhidden_RF_].rows(0, rows), dup = pass[dup_RX_].rows(0, rows);
    if (!keeps_hidden_) activate(pass, groups);
    pass.run(GroupedLinearBackwardWeight{dy_RC, hidden, pass[down_.weight.gradient], offsets,
                                         pass[down_.weight_scratch], host});
    pass.run(GroupedLinearBackwardInput{dy_RC, pass[down_.weight.value], dhidden, offsets,
                                        pass[down_.input_scratch], host});
    activation_backward(pass, groups);
    pass.run(GroupedLinearBackwardWeight{dup, x_RC, pass[up_.weight.gradient], offsets,
                                         pass[up_.weight_scratch], host});
    pass.run(GroupedLinearBackwardInput{dup, pass[up_.weight.value], dx_RC, offsets,
                                        pass[up_.input_scratch], host});
}

void Experts::end_backward(const Pass& pass) const {
    if (group_sums_GP_.valid()) add_group_sums(pass);
}

void Experts::rows_backward(const Pass& pass, int64_t begin, int64_t end,
                            const Tensor& coefficients_P, const Tensor& dcoefficients_P) const {
    pass.run(shape_.activation_backward(
        activation(pass, begin, end, coefficients_P), pass[dhidden_RF_].rows(begin, end),
        pass[dup_RX_].rows(begin, end), dcoefficients_P, pass[activation_scratch_]));
}

void Experts::activation_backward(const Pass& pass, const ExpertGroups& groups) const {
    const Tensor coefficients = pass[coefficients_.value];
    const Tensor gradient = pass[coefficients_.gradient];
    if (per_expert_) {
        for_each_group(groups, [&](int64_t g, int64_t begin, int64_t end) {
            rows_backward(pass, begin, end, row(coefficients, g % coefficients.dim(0)),
                          row(gradient, g % gradient.dim(0)));
        });
    } else if (group_sums_GP_.valid()) {
        const Tensor sums = pass[group_sums_GP_];
        for_each_group(groups, [&](int64_t g, int64_t begin, int64_t end) {
            rows_backward(pass, begin, end, coefficients, row(sums, g));
        });
    } else if (sums_by_group_) {
        for_each_group(groups, [&](int64_t, int64_t begin, int64_t end) {
            rows_backward(pass, begin, end, coefficients, gradient);
        });
    } else {
        rows_backward(pass, 0, groups.rows(), coefficients, gradient);
    }
}

void Experts::add_group_sums(const Pass& pass) const {
    Tensor sums = pass[group_sums_GP_];
    const int places = pass.grid == nullptr ? 1 : pass.grid->layout().expert;
    if (places > 1) {
        std::vector<int64_t> offsets;
        for (int place = 0; place <= places; ++place)
            offsets.push_back(static_cast<int64_t>(sums.bytes()) * place / places);
        const Tensor own = pass[own_sums_EP_];
        pass.groups->experts()
            .all_to_all(sums.data, ranges_of(offsets), own.data, ranges_of(offsets),
                        name_ + " coefficient sums")
            .wait();
        sums = own;
    }
    const Tensor gradient = pass[coefficients_.gradient];
    for (int64_t e = 0; e < experts_; ++e) pass.run(Add{gradient, row(sums, e), gradient});
}

}  // namespace polytrain
