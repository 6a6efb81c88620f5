#include "dist/ranks/modes.hpp"
#include "kernels/cpu/backend.hpp"
#include "optim/gradient_reducer.hpp"

namespace polytrain::testing {
namespace {

constexpr int64_t kRounds = 4;

// What micro-batch `m` adds to element i of parameter p: sixteenths, small enough that sums of them
// are exact in f32.
float term(int64_t m, int64_t p, int64_t i) {
    return static_cast<float>((m * 37 + p * 11 + i * 5) % 64 - 20) / 16;
}

struct Model {
    std::vector<std::unique_ptr<Parameter>> parameters;
    GradientReducer::Buckets buckets;

    Model() : buckets(3) {
        // Of less than a chunk, of some chunks and a part, of none; experts too.
        const auto add = [&](size_t bucket, Shape shape, bool experts) {
            auto& made = parameters.emplace_back(std::make_unique<Parameter>());
            made->index = static_cast<int>(parameters.size()) - 1;
            made->name = fmt::format("p{}", made->index);
            made->shape = shape;
            if (experts) made->replication = Replication::kExperts;
            buckets[bucket].push_back(made.get());
        };
        add(0, {5}, false);
        add(0, {70, 50}, false);
        add(1, {4, 40, 33}, true);
        add(1, {3000}, false);
        add(1, {4, 3}, true);
        add(2, {0}, false);
        add(2, {2, 1025}, false);
    }
};

// One step; every rank checks its shards, and after they are shared all it holds.
void check(World& world, int expert, Sharding sharding, bool exact) {
    const Grid grid(world, expert);
    const auto backend = make_cpu_backend(1);
    OpTable ops;
    backend->register_ops(ops);
    Model model;
    MemoryPlan plan;
    Planner planner{plan, ops};
    planner.layout = grid.layout();
    planner.exact = exact;
    for (const auto& parameter : model.parameters) planner.declare(*parameter);
    const int64_t ranks = world.size();
    GradientReducer reducer(model.buckets, sharding, kRounds);
    reducer.plan(planner);
    const Arena arena(*backend, plan);
    const Stream stream(*backend);
    const TensorGroups groups(*backend, stream, grid);
    const Pass pass{ops, arena, stream, 0, 0, &grid, &groups};

    reducer.begin_step(pass);
    for (int64_t round = 0; round < kRounds; ++round) {
        reducer.begin_round(pass);
        for (size_t bucket = 0; bucket < model.buckets.size(); ++bucket) {
            reducer.begin_bucket(pass, bucket);
            for (const Parameter* parameter : model.buckets[bucket]) {
                const Tensor gradient = pass[parameter->gradient];
                const int64_t size = parameter->local_shape.elements();
                // The ranks whose tokens this rank's gradient is of: of experts all of its group.
                const int64_t first =
                    parameter->is_experts() ? world.rank() / expert * expert : world.rank();
                const int64_t count = parameter->is_experts() ? expert : 1;
                for (int64_t source = 0; source < count; ++source)
                    for (int64_t i = 0; i < size; ++i)
                        gradient.as<float>()[source % parameter->sources * size + i] += term(
                            round * ranks + first + source, parameter->index, parameter->first + i);
            }
            reducer.bucket_ready(pass, bucket);
        }
    }
    reducer.end_step(pass);
    const auto expected = [&](const Parameter& parameter, int64_t i) {
        float sum = 0;
        for (int64_t m = 0; m < kRounds * ranks; ++m)
            sum += term(m, parameter.index, parameter.first + i);
        return sum;
    };
    const auto compare = [&](const Parameter& parameter, const Tensor& sums, int64_t begin,
                             const char* what) {
        for (int64_t i = 0; i < sums.elements(); ++i)
            PT_CHECK(sums.as<float>()[i] == expected(parameter, begin + i),
                     "{} of {} at {}: {}, not {} (expert {}, sharding {}, exact {})", what,
                     parameter.name, begin + i, sums.as<float>()[i], expected(parameter, begin + i),
                     expert, static_cast<int>(sharding), exact);
    };
    for (const auto& parameter : model.parameters)
        compare(*parameter, reducer.own_sum(pass, *parameter),
                own_shard(*parameter, grid.layout()).begin, "own sum");
    reducer.share_sums(pass);
    for (const auto& parameter : model.parameters)
        compare(*parameter,
                shard_view(pass[parameter->gradient], {0, parameter->local_shape.elements()}), 0,
                "shared sum");
}

}  // namespace

void check_sums(World& world) {
    for (int expert = 1; expert <= std::min(4, world.size()); expert *= 2)
        for (const Sharding sharding :
             {Sharding::kNone, Sharding::kState, Sharding::kStateAndGradients})
            for (const bool exact : {false, true}) check(world, expert, sharding, exact);
}

}  // namespace polytrain::testing
