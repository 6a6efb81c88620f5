#include "nn/layer.hpp"

namespace polytrain {

void Planner::declare(Parameter& parameter) const {
    parameter.value = plan.add(parameter.name, parameter.shape, parameter.dtype, Life::kParameter);
    if (training)
        parameter.gradient = plan.add(parameter.name + ".gradient", parameter.shape,
                                      accumulator_of(parameter.dtype), Life::kGradient);
}

}  // namespace polytrain
