#include <algorithm>

#include "checkpoint/save.hpp"
#include "dist/ranks/modes.hpp"
#include "kernels/cpu/backend.hpp"
#include "nn/moe.hpp"
#include "optim/gradient_reducer.hpp"

namespace polytrain::testing {
namespace {

constexpr int64_t kTokens = 24, kWidth = 6, kExperts = 4, kHidden = 10;

// Small whole numbers in all places, so that all sums are exact.
float number(int64_t i, int64_t seed) {
    return static_cast<float>((i * 7 + i * i % 5 + seed * 3) % 5 - 2);
}

void fill(const Tensor& tensor, int64_t first, int64_t seed) {
    for (int64_t i = 0; i < tensor.elements(); ++i) tensor.as<float>()[i] = number(first + i, seed);
}

}  // namespace

void run_layer(World& world, const std::filesystem::path& folder, int expert) {
    const Grid grid(world, expert);
    const auto backend = make_cpu_backend(1);
    OpTable ops;
    backend->register_ops(ops);
    const ActivationInfo* relu = ops.activations().find("relu");
    const Init init = Init::constant(0);
    // The best expert alone, with weight 1: y is a sum of whole numbers.
    const FeedForwardShape network{kWidth, kHidden, relu, 1, false, init, init};
    const RouterShape router{kWidth, kExperts, 1, true, 0, 0, BalanceScope::kMicro, init};
    Moe layer("moe", {router, network, false, 0});
    const std::vector<Parameter*> parameters = layer.parameters();
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i]->index = static_cast<int>(i);

    MemoryPlan plan;
    Planner planner{plan, ops, 1, kTokens / world.size()};
    planner.layout = grid.layout();
    const Shape rows{planner.rows(), kWidth};
    const auto add = [&](const char* name) {
        return plan.add(name, rows, DType::kF32, Life::kData);
    };
    const TensorId x = add("x"), y = add("y"), dy = add("dy"), dx = add("dx");
    layer.plan(planner);
    GradientReducer::Buckets buckets(1);
    for (const Parameter* parameter : parameters)
        if (parameter->learned) buckets[0].push_back(parameter);
    GradientReducer reducer(buckets, Sharding::kNone, 1);
    reducer.plan(planner);
    const Arena arena(*backend, plan);
    const Stream stream(*backend);
    const TensorGroups groups(*backend, stream, grid);
    const Pass pass{ops, arena, stream, 0, 0, &grid, &groups};
    for (const Parameter* parameter : parameters)
        fill(pass[parameter->value], parameter->first, parameter->index);
    stream.zero(pass[layer.router().bias().value]);
    const int64_t first = world.rank() * rows.elements();
    fill(pass[x], first, 20);
    fill(pass[dy], first, 21);

    reducer.begin_step(pass);
    layer.forward(pass, pass[x], pass[y]);
    layer.backward(pass, pass[dy], pass[x], pass[dx]);
    reducer.bucket_ready(pass, 0);
    reducer.end_step(pass);

    std::vector<FileContents> files(1);
    files[0].name = fmt::format("layer-{}.safetensors", world.rank());
    const Shape all{kTokens, kWidth};
    files[0].slices.emplace_back("y", all, first, pass[y]);
    files[0].slices.emplace_back("dx", all, first, pass[dx]);
    for (const Parameter* parameter : buckets[0])
        if (const Tensor sum = reducer.own_sum(pass, *parameter); sum.elements() > 0)
            files[0].slices.emplace_back(
                parameter->name, parameter->shape,
                parameter->first + own_shard(*parameter, grid.layout()).begin, sum);
    TrainState state;
    state.step = 1;
    save_checkpoint(folder, state, files, grid.disks());
}

}  // namespace polytrain::testing
