// Each layer alone, in f64: the gradients of its input and parameters against central differences.

#include "nn/attention.hpp"
#include "nn/feed_forward.hpp"
#include "nn/loss_head.hpp"
#include "nn/rms_norm.hpp"
#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr int64_t kBatch = 2, kTime = 5, kRows = kBatch * kTime, kWidth = 12;

// A layer in memory with an input, an output and a gradient for each.
template <class Layer>
struct LayerRun {
    Machine machine{2};
    Layer& layer;
    TensorId x_id, y_id, dy_id, dx_id, table_id;
    std::unique_ptr<Arena> arena;

    LayerRun(Layer& l, int64_t out_width, Recompute recompute, Random& random) : layer(l) {
        MemoryPlan plan;
        Planner planner{plan, machine.ops, kBatch, kTime, DType::kF64, true, recompute};
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

std::vector<double> values_of(const Tensor& tensor) {
    return {tensor.as<double>(), tensor.as<double>() + tensor.elements()};
}

// forward(run) and backward(run) call the layer; the loss is sum(dy y), so that dy seeds it.
template <class Layer, class Forward, class Backward>
void check_layer(const LayerRun<Layer>& run, const Forward& forward, const Backward& backward,
                 Random& random) {
    const auto loss = [&] {
        forward(run);
        double sum = 0;
        const Tensor y = run[run.y_id], dy = run[run.dy_id];
        for (int64_t i = 0; i < y.elements(); ++i) sum += y.as<double>()[i] * dy.as<double>()[i];
        return sum;
    };
    for (const Parameter* parameter : run.layer.parameters())
        run.machine.stream.zero(run[parameter->gradient]);
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
        check(parameter->name, run[parameter->value], run[parameter->gradient]);
}

}  // namespace

TEST_CASE("layers: attention with every norm of queries and keys, grouped heads") {
    Random random("layer attention");
    for (const std::optional<QkNormKind> qk_norm :
         {std::optional<QkNormKind>(), std::optional(QkNormKind::kFull),
          std::optional(QkNormKind::kHead)}) {
        Attention layer("attention",
                        {kWidth, 2, 1, Init::constant(0), Init::constant(0), qk_norm, 1e-5});
        const LayerRun<Attention> run(layer, kWidth, Recompute::kNone, random);
        check_layer(
            run,
            [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.table_id], r[r.y_id]); },
            [](const auto& r) {
                r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.table_id], r[r.dx_id]);
            },
            random);
    }
}

TEST_CASE("layers: feed-forward with every activation, plain and gated, kept and recomputed") {
    Random random("layer feed-forward");
    const Machine machine(1);
    for (const ActivationInfo& info : machine.ops.activations().all())
        for (const bool gated : {false, true})
            for (const Recompute recompute : {Recompute::kNone, Recompute::kActivation}) {
                INFO(info.name << (gated ? ", gated" : ""));
                FeedForward layer("feed_forward", {kWidth, 9, &info, info.has_order() ? 3 : 0,
                                                   gated, Init::constant(0), Init::constant(0)});
                const LayerRun<FeedForward> run(layer, kWidth, recompute, random);
                check_layer(
                    run, [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.y_id]); },
                    [](const auto& r) {
                        r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.dx_id]);
                    },
                    random);
            }
}

TEST_CASE("layers: RMSNorm and linear") {
    Random random("layer norm");
    const auto forward = [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.y_id]); };
    const auto backward = [](const auto& r) {
        r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.dx_id]);
    };
    RmsNorm norm("norm", kWidth, 1e-5);
    check_layer(LayerRun<RmsNorm>(norm, kWidth, Recompute::kNone, random), forward, backward,
                random);
    Linear linear("linear", kWidth, 7, Init::constant(0));
    check_layer(LayerRun<Linear>(linear, 7, Recompute::kNone, random), forward, backward, random);
}

TEST_CASE("layers: the loss head with z-loss") {
    Random random("layer loss head");
    LossHead layer("head", 7, kWidth, Init::constant(0), 0.05);
    const LayerRun<LossHead> run(layer, 2, Recompute::kNone, random);
    std::vector<int32_t> targets;
    for (int64_t n = 0; n < kRows; ++n)
        targets.push_back(static_cast<int32_t>(random.integer(-1, 6)));
    const Tensor targets_N{targets.data(), {kRows}, DType::kI32, {}};
    std::vector<double> losses(2 * kRows);  // y holds both losses, a column block each
    const auto losses_of = [&] {
        return LossHead::Losses{{losses.data(), {kRows}, DType::kF64, {}},
                                {losses.data() + kRows, {kRows}, DType::kF64, {}}};
    };
    std::fill_n(run[run.dy_id].as<double>(), 2 * kRows, 1.0);
    check_layer(
        run,
        [&](const auto& r) {
            r.layer.forward(r.pass(), r[r.x_id], targets_N, losses_of());
            std::copy(losses.begin(), losses.end(), r[r.y_id].template as<double>());
        },
        [&](const auto& r) {
            r.layer.forward_backward(r.pass(), r[r.x_id], targets_N, losses_of(), r[r.dx_id]);
        },
        random);
}
