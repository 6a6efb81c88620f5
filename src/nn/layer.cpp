#include "nn/layer.hpp"

namespace polytrain {
namespace {

Shape with_first(const Shape& shape, int64_t first) {
    switch (shape.rank()) {
        case 2:
            return {first, shape[1]};
        case 3:
            return {first, shape[1], shape[2]};
        default:
            PT_CHECK(false, "experts of shape {}", shape.text());
    }
}

}  // namespace

void Planner::declare(Parameter& parameter) const {
    parameter.local_shape = parameter.shape;
    parameter.first = 0;
    parameter.sources = 1;
    Shape gradient = parameter.shape;
    if (parameter.is_experts()) {
        PT_CHECK(parameter.shape[0] % layout.expert == 0, "{}: {} experts on {} ranks",
                 parameter.name, parameter.shape[0], layout.expert);
        const int64_t experts = parameter.shape[0] / layout.expert;
        parameter.local_shape = with_first(parameter.shape, experts);
        parameter.first = layout.place() * experts * parameter.unit();
        if (exact) parameter.sources = layout.expert;
        gradient = with_first(parameter.shape, parameter.sources * experts);
    }
    parameter.value = plan.add(parameter.name, parameter.local_shape, parameter.dtype,
                               borrows ? Life::kBorrowed : Life::kParameter);
    if (training && parameter.learned)
        parameter.gradient = plan.add(parameter.name + ".gradient", gradient,
                                      accumulator_of(parameter.dtype), Life::kGradient);
}

}  // namespace polytrain
