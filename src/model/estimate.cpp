#include "model/estimate.hpp"

namespace polytrain {

ParameterCount count_parameters(const std::vector<Parameter*>& parameters) {
    ParameterCount count;
    for (const Parameter* parameter : parameters)
        (parameter->decay == DecayClass::kCoefficient ? count.coefficients : count.parameters) +=
            parameter->shape.elements();
    return count;
}

double flops_per_token(const ModelConfig& config, const std::vector<Parameter*>& parameters) {
    double multiplied = 0;
    for (const Parameter* parameter : parameters) {
        const bool is_product = parameter->decay == DecayClass::kMatrix ||
                                (parameter->decay == DecayClass::kEmbedding && config.tied);
        if (is_product) multiplied += static_cast<double>(parameter->shape.elements());
    }
    return 6 * (multiplied + static_cast<double>(config.layers * config.d_model * config.context));
}

}  // namespace polytrain
