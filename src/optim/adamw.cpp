#include "optim/adamw.hpp"

#include <algorithm>
#include <cmath>

#include "ops/adamw.hpp"
#include "ops/elementwise.hpp"
#include "tensor/host.hpp"

namespace polytrain {

AdamWOptimizer::AdamWOptimizer(const OptimizerConfig& config, Sharding sharding,
                               const std::vector<Parameter*>& parameters, GradientReducer& reducer)
    : config_(config), sharding_(sharding), reducer_(reducer) {
    for (Parameter* parameter : parameters)
        if (parameter->learned) parameters_.push_back(parameter);
    m_.resize(parameters.size());
    v_ = remainders_ = m_;
}

Shard AdamWOptimizer::kept(const Parameter& parameter) const {
    return sharding_ == Sharding::kNone ? Shard{0, parameter.local_shape.elements()}
                                        : own_shard(parameter, layout_);
}

void AdamWOptimizer::plan(const Planner& planner) {
    layout_ = planner.layout;
    int64_t chunks = 0;
    for (const Parameter* parameter : parameters_) {
        const auto index = static_cast<size_t>(parameter->index);
        const DType acc = accumulator_of(parameter->dtype);
        const auto add = [&](const char* part, DType dtype) {
            return planner.plan.add(parameter->name + part, {kept(*parameter).elements()}, dtype,
                                    Life::kOptimizer);
        };
        m_[index] = add(".m", acc);
        v_[index] = add(".v", acc);
        if (parameter->dtype != acc) remainders_[index] = add(".remainder", DType::kI16);
        chunks += chunk_count(*parameter);
    }
    chunk_squares_ = planner.plan.add("squares", {chunks}, DType::kF64, Life::kOptimizer);
    sums_ = planner.plan.add("squares.sums", {static_cast<int64_t>(parameters_.size())},
                             DType::kF64, Life::kOptimizer);
}

void AdamWOptimizer::reset(const Pass& pass) const {
    for (const Parameter* parameter : parameters_) {
        const int index = parameter->index;
        pass.stream.zero(pass[m(index)]);
        pass.stream.zero(pass[v(index)]);
        if (remainder(index).valid()) pass.stream.zero(pass[remainder(index)]);
    }
}

AdamWOptimizer::State AdamWOptimizer::own_state(const Pass& pass,
                                                const Parameter& parameter) const {
    const Shard shard = own_shard(parameter, layout_), all = kept(parameter);
    const Shard within{shard.begin - all.begin, shard.end - all.begin};
    const int index = parameter.index;
    State state;
    state.shard = shard;
    state.weight = shard_view(pass[parameter.value], shard);
    if (!parameter.learned) return state;
    if (remainder(index).valid()) state.remainder = shard_view(pass[remainder(index)], within);
    state.m = shard_view(pass[m(index)], within);
    state.v = shard_view(pass[v(index)], within);
    return state;
}

bool AdamWOptimizer::decays(const Parameter& parameter) const {
    switch (parameter.decay) {
        case DecayClass::kMatrix:
            return true;
        case DecayClass::kEmbedding:
            return config_.decay_embeddings;
        case DecayClass::kGain:
            return config_.decay_gains;
        case DecayClass::kCoefficient:
            return false;
    }
    return false;
}

template <class F>
std::vector<double> AdamWOptimizer::squares(const Pass& pass, const F& shard) const {
    // Sums by chunk, each made by the rank that owns it; all others are 0.
    const Tensor chunks = pass[chunk_squares_];
    pass.stream.zero(chunks);
    int64_t begin = 0;
    for (const Parameter* parameter : parameters_) {
        const Shard own = own_shard(*parameter, layout_);
        const Tensor x = shard(*parameter);
        const int64_t unit = parameter->unit();
        int64_t chunk = begin + first_chunk(*parameter, own);
        // A unit's chunks begin anew.
        for (int64_t at = own.begin; at < own.end;) {
            const int64_t end = std::min(own.end, (at / unit + 1) * unit);
            const int64_t count = SquaredChunks::chunks(end - at);
            pass.run(SquaredChunks{x.rows(at - own.begin, end - own.begin),
                                   chunks.rows(chunk, chunk + count)});
            chunk += count;
            at = end;
        }
        begin += chunk_count(*parameter);
    }
    if (layout_.ranks > 1) pass.groups->all().all_reduce(chunks, Reduce::kSum, "squares").wait();
    const Tensor sums = pass[sums_];
    begin = 0;
    for (size_t i = 0; i < parameters_.size(); ++i) {
        const int64_t end = begin + chunk_count(*parameters_[i]);
        const auto at = static_cast<int64_t>(i);
        pass.run(Sum{chunks.rows(begin, end), sums.rows(at, at + 1), false, {}});
        begin = end;
    }
    return to_host<double>(pass.stream, sums);
}

double AdamWOptimizer::gradient_norm(const Pass& pass, int64_t scored) {
    squares_ = squares(
        pass, [&](const Parameter& parameter) { return reducer_.own_sum(pass, parameter); });
    double sum = 0;
    for (const double square : squares_) sum += square;
    return std::sqrt(sum) / static_cast<double>(scored);
}

void AdamWOptimizer::step(const Pass& pass, int64_t update, double lr, double norm,
                          int64_t scored) {
    const double clip = config_.clip > 0 && norm > config_.clip ? config_.clip / norm : 1.0;
    AdamW op;
    op.lr = lr;
    op.beta1 = config_.beta1;
    op.beta2 = config_.beta2;
    op.eps = config_.eps;
    op.gradient_scale = clip / static_cast<double>(scored);
    op.step = update;
    if (sharding_ == Sharding::kNone) reducer_.share_sums(pass);
    for (const Parameter* parameter : parameters_) {
        const int index = parameter->index;
        const Shard shard = kept(*parameter);
        if (shard.elements() == 0) continue;
        op.weight = shard_view(pass[parameter->value], shard);
        op.remainder = remainder(index).valid() ? pass[remainder(index)] : Tensor{};
        op.gradient = sharding_ == Sharding::kNone ? shard_view(pass[parameter->gradient], shard)
                                                   : reducer_.own_sum(pass, *parameter);
        op.m = pass[m(index)];
        op.v = pass[v(index)];
        op.weight_decay = decays(*parameter) ? config_.weight_decay : 0;
        pass.run(op);
    }
    if (sharding_ != Sharding::kNone) reducer_.share_values(pass);
}

std::string AdamWOptimizer::first_bad_weight(const Pass& pass) const {
    return first_bad(squares(pass, [&](const Parameter& parameter) {
        return shard_view(pass[parameter.value], own_shard(parameter, layout_));
    }));
}

std::string AdamWOptimizer::first_bad(const std::vector<double>& squares) const {
    for (size_t i = 0; i < squares.size(); ++i)
        if (!std::isfinite(squares[i]))
            return fmt::format("{} (squared norm {})", parameters_[i]->name, squares[i]);
    return {};
}

}  // namespace polytrain
