#include "model/estimate.hpp"

namespace polytrain {
namespace {

// Of a parameter's elements, those that one token is multiplied with.
int64_t active_elements(const Parameter& parameter, const ModelConfig& config) {
    return parameter.is_experts() ? parameter.unit() * config.moe.top_k
                                  : parameter.shape.elements();
}

}  // namespace

ParameterCount count_parameters(const ModelConfig& config,
                                const std::vector<Parameter*>& parameters) {
    ParameterCount count;
    for (const Parameter* parameter : parameters) {
        if (!parameter->learned) continue;
        if (parameter->decay == DecayClass::kCoefficient) {
            count.coefficients += parameter->shape.elements();
            continue;
        }
        count.parameters += parameter->shape.elements();
        count.active += active_elements(*parameter, config);
    }
    return count;
}

double flops_per_token(const ModelConfig& config, const std::vector<Parameter*>& parameters) {
    double multiplied = 0;
    for (const Parameter* parameter : parameters) {
        const bool is_product = (parameter->learned && parameter->decay == DecayClass::kMatrix) ||
                                (parameter->decay == DecayClass::kEmbedding && config.tied);
        if (is_product) multiplied += static_cast<double>(active_elements(*parameter, config));
    }
    return 6 * (multiplied + static_cast<double>(config.layers * config.d_model * config.context));
}

}  // namespace polytrain
