#include "optim/adamw.hpp"

#include <cmath>

#include "ops/adamw.hpp"
#include "ops/elementwise.hpp"

namespace polytrain {

AdamWOptimizer::AdamWOptimizer(const OptimizerConfig& config, std::vector<Parameter*> parameters)
    : config_(config), parameters_(std::move(parameters)) {}

void AdamWOptimizer::plan(const Planner& planner) {
    const auto count = static_cast<int64_t>(parameters_.size());
    squares_ = planner.plan.add("gradient_squares", {count}, DType::kF64, Life::kOptimizer);
    const Tensor result = Planner::described({1}, DType::kF64);
    for (const Parameter* parameter : parameters_) {
        const DType acc = accumulator_of(parameter->dtype);
        const auto add = [&](const char* moment) {
            return planner.plan.add(parameter->name + moment, parameter->shape, acc,
                                    Life::kOptimizer);
        };
        m_.push_back(add(".m"));
        v_.push_back(add(".v"));
        masters_.push_back(parameter->dtype == acc ? TensorId{} : add(".master"));
        const MemoryPlan::Scope scope(planner.plan);
        norm_scratch_.push_back(planner.scratch_of(
            parameter->name + ".norm",
            Sum{Planner::described(parameter->shape, acc), result, true, {}},
            Sum{Planner::described(parameter->shape, parameter->dtype), result, true, {}}));
    }
}

void AdamWOptimizer::zero_gradients(const Pass& pass) const {
    for (const Parameter* parameter : parameters_) pass.stream.zero(pass[parameter->gradient]);
}

void AdamWOptimizer::reset(const Pass& pass) const {
    for (size_t i = 0; i < parameters_.size(); ++i) {
        pass.stream.zero(pass[m_[i]]);
        pass.stream.zero(pass[v_[i]]);
        if (masters_[i].valid()) pass.run(Convert{pass[parameters_[i]->value], pass[masters_[i]]});
    }
}

void AdamWOptimizer::store_masters(const Pass& pass) const {
    for (size_t i = 0; i < parameters_.size(); ++i)
        if (masters_[i].valid()) pass.run(Convert{pass[masters_[i]], pass[parameters_[i]->value]});
}

TensorId AdamWOptimizer::weight(int index) const {
    const auto i = static_cast<size_t>(index);
    return masters_[i].valid() ? masters_[i] : parameters_[i]->value;
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

std::vector<double> AdamWOptimizer::squared_norms(const Pass& pass, TensorId Parameter::*of) const {
    const Tensor squares = pass[squares_];
    for (size_t i = 0; i < parameters_.size(); ++i) {
        const auto slot = static_cast<int64_t>(i);
        pass.run(Sum{pass[parameters_[i]->*of], squares.rows(slot, slot + 1), true,
                     pass[norm_scratch_[i]]});
    }
    std::vector<double> host(parameters_.size());
    pass.stream.download(host.data(), squares, squares.bytes());
    return host;
}

double AdamWOptimizer::gradient_norm(const Pass& pass, int64_t scored) const {
    double sum = 0;
    for (double square : squared_norms(pass, &Parameter::gradient)) sum += square;
    return std::sqrt(sum) / static_cast<double>(scored);
}

void AdamWOptimizer::step(const Pass& pass, int64_t update, double lr, double norm,
                          int64_t scored) const {
    const double clip = config_.clip > 0 && norm > config_.clip ? config_.clip / norm : 1.0;
    AdamW op;
    op.lr = lr;
    op.beta1 = config_.beta1;
    op.beta2 = config_.beta2;
    op.eps = config_.eps;
    op.gradient_scale = clip / static_cast<double>(scored);
    op.step = update;
    for (size_t i = 0; i < parameters_.size(); ++i) {
        const Parameter& parameter = *parameters_[i];
        op.weight = pass[weight(parameter.index)];
        op.stored = masters_[i].valid() ? pass[parameter.value] : Tensor{};
        op.gradient = pass[parameter.gradient];
        op.m = pass[m_[i]];
        op.v = pass[v_[i]];
        op.weight_decay = decays(parameter) ? config_.weight_decay : 0;
        pass.run(op);
    }
}

std::string AdamWOptimizer::first_bad_gradient(const Pass& pass) const {
    return first_bad(pass, &Parameter::gradient);
}

std::string AdamWOptimizer::first_bad_weight(const Pass& pass) const {
    return first_bad(pass, &Parameter::value);
}

std::string AdamWOptimizer::first_bad(const Pass& pass, TensorId Parameter::*of) const {
    const std::vector<double> squares = squared_norms(pass, of);
    for (size_t i = 0; i < squares.size(); ++i)
        if (!std::isfinite(squares[i]))
            return fmt::format("{} (squared norm {})", parameters_[i]->name, squares[i]);
    return {};
}

}  // namespace polytrain
