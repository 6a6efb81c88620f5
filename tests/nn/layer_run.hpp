#pragma once
// A layer alone, in f64: the gradients of its input and parameters against central differences.

#include <algorithm>
#include <functional>

#include "nn/layer.hpp"
#include "ops/rotary.hpp"
#include "support/op_suite.hpp"

namespace polytrain::testing {

inline constexpr int64_t kBatch = 2, kTime = 5, kRows = kBatch * kTime, kWidth = 12, kStepRows = 70;

// A layer in memory with an input, an output and a gradient for each.
template <class Layer>
struct LayerRun {
    Machine machine{2};
    Layer& layer;
    TensorId x_id, y_id, dy_id, dx_id, table_id;
    std::unique_ptr<Arena> arena;

    LayerRun(Layer& l, int64_t out_width, Recompute recompute, Random& random, Layout layout = {})
        : layer(l) {
        MemoryPlan plan;
        Planner planner{plan, machine.ops, kBatch, kTime, DType::kF64, true, recompute};
        planner.layout = layout;
        planner.step_rows = kStepRows;
        const auto add = [&](const char* name, Shape shape) {
            return plan.add(name, shape, DType::kF64, Life::kData);
        };
        x_id = add("x", {kRows, kWidth});
        dx_id = add("dx", {kRows, kWidth});
        y_id = add("y", {kRows, out_width});
        dy_id = add("dy", {kRows, out_width});
        table_id = add("table", {kTime, 6});
        {
            const MemoryPlan::Scope scope(plan);
            layer.plan(planner);
        }
        arena = std::make_unique<Arena>(*machine.backend, plan);
        machine.ops.run(RotaryTable{(*arena)[table_id], 100.0}, machine.stream);
        for (const TensorId id : {x_id, dy_id}) fill((*arena)[id], -1, 1, random);
        for (const Parameter* parameter : layer.parameters())
            fill((*arena)[parameter->value], 0.1, 0.9, random);
    }
    Pass pass() const { return {machine.ops, *arena, machine.stream}; }
    Tensor operator[](TensorId id) const { return (*arena)[id]; }

    static void fill(const Tensor& tensor, double low, double high, Random& random) {
        for (int64_t i = 0; i < tensor.elements(); ++i)
            tensor.as<double>()[i] = random.uniform(low, high);
    }
};

inline std::vector<double> values_of(const Tensor& tensor) {
    return {tensor.as<double>(), tensor.as<double>() + tensor.elements()};
}

// forward(run) and backward(run) call the layer; the loss is sum(dy y), so that dy seeds it, and
// what `auxiliary` makes of a layer that has a loss of its own.
template <class Layer, class Forward, class Backward>
void check_layer(
    const LayerRun<Layer>& run, const Forward& forward, const Backward& backward, Random& random,
    const std::function<double()>& auxiliary = [] { return 0.0; }) {
    const auto loss = [&] {
        forward(run);
        double sum = 0;
        const Tensor y = run[run.y_id], dy = run[run.dy_id];
        for (int64_t i = 0; i < y.elements(); ++i) sum += y.as<double>()[i] * dy.as<double>()[i];
        return sum + auxiliary();
    };
    for (const Parameter* parameter : run.layer.parameters())
        if (parameter->learned) run.machine.stream.zero(run[parameter->gradient]);
    forward(run);
    backward(run);
    const auto check = [&](const std::string& name, const Tensor& at, const Tensor& gradient) {
        const std::vector<double> exact = values_of(gradient);
        std::vector<double> analytic, numeric;
        for (int trial = 0; trial < 8; ++trial) {
            const int64_t i = random.integer(0, at.elements() - 1);
            double& x = at.as<double>()[i];
            const double kept = x, wanted = exact[static_cast<size_t>(i)];
            const auto difference = [&](double h) {
                x = kept + h;
                const double up = loss();
                x = kept - h;
                const double down = loss();
                x = kept;
                return (up - down) / (2 * h);
            };
            // A step that crosses a relu's kink is wrong; the shorter one then is not.
            const double wide = difference(1e-6), narrow = difference(1e-8);
            numeric.push_back(std::fabs(wide - wanted) < std::fabs(narrow - wanted) ? wide
                                                                                    : narrow);
            analytic.push_back(wanted);
        }
        INFO(name);
        CHECK(relative_difference(numeric, analytic, 1e-2) < 2e-5);
    };
    check("x", run[run.x_id], run[run.dx_id]);
    for (const Parameter* parameter : run.layer.parameters())
        if (parameter->learned)
            check(parameter->name, run[parameter->value], run[parameter->gradient]);
}

}  // namespace polytrain::testing
