#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/save.hpp"
#include "config/load.hpp"
#include "data/loader.hpp"
#include "dist/ranks/modes.hpp"
#include "kernels/cpu/backend.hpp"
#include "train/session.hpp"

namespace polytrain::testing {
namespace {

bool is_masked(const std::string& mask, int64_t micro_batch, int64_t place) {
    if (mask == "uneven") return micro_batch % 4 == 1 || (7 * micro_batch + place) % 3 == 0;
    return mask == "all";
}

std::vector<HostBatch> read_batches(const Loader& loader, const RunConfig& config,
                                    const Layout& layout, int64_t step, const std::string& mask) {
    std::vector<HostBatch> batches;
    const int64_t count = config.train.micro_batch;
    for (int64_t round = 0; round < rounds_of(config, layout); ++round) {
        HostBatch& batch = batches.emplace_back(count * config.model.context);
        const int64_t micro_batch = round * layout.ranks + layout.rank;
        loader.fill(step * config.train.batch + micro_batch * count, count, batch.ids.data(),
                    batch.targets.data());
        for (size_t i = 0; i < batch.targets.size(); ++i)
            if (is_masked(mask, micro_batch, static_cast<int64_t>(i))) batch.targets[i] = -1;
    }
    return batches;
}

StepResult run_step(TrainingSession& session, const Grid& grid,
                    const std::vector<HostBatch>& batches, int64_t step) {
    int64_t scored = 0;
    for (const HostBatch& batch : batches) scored += batch.scored();
    grid.all().all_reduce({&scored, {1}, DType::kI64, {}}, Reduce::kSum, "scored").wait();
    session.begin_step(scored, batches);
    for (const HostBatch& batch : batches) session.accumulate(batch);
    return session.measure_step(step);
}

nlohmann::json summary_of(const StepResult& result) {
    nlohmann::json summary{{"loss", result.loss},
                           {"grad_norm", result.grad_norm},
                           {"balance_loss", result.balance_loss},
                           {"router_z_loss", result.router_z_loss},
                           {"scored", result.scored}};
    for (const RouterLoad& load : result.loads) {
        summary["counts"].push_back(load.counts);
        summary["entropy"].push_back(load.entropy);
    }
    return summary;
}

}  // namespace

void write_gradients(World& world, const std::string& config_path,
                     const std::filesystem::path& folder, const std::string& mask, int steps) {
    const auto backend = make_cpu_backend(1);
    OpTable ops;
    backend->register_ops(ops);
    const RunConfig config = load_config(config_path, {}, ops.activations());
    const Grid grid(world, static_cast<int>(config.parallel.expert));
    const DataTokenizer tokenizer(config.data);
    const Loader loader(config.data, tokenizer, config.seed, config.model.context,
                        config.model.vocab_size);
    TrainingSession session(config, *backend, ops, &grid);
    session.initialise(config.seed);
    StepResult result;
    for (int64_t step = 0; step < steps; ++step) {
        result = run_step(session, grid, read_batches(loader, config, grid.layout(), step, mask),
                          step + 1);
        if (step + 1 < steps) session.update(step + 1, config.optimizer.lr);
    }

    const nlohmann::json summary = summary_of(result);
    for (const std::string& other : gather_texts(grid.all(), summary.dump(), "summary"))
        PT_CHECK(other == summary.dump(), "ranks differ: {} and {}", summary.dump(), other);
    std::vector<FileContents> files(1);
    files[0].name = fmt::format("gradients-{}.safetensors", world.rank());
    std::vector<std::vector<float>> memory;
    for (const Parameter* parameter : session.model().parameters()) {
        if (!parameter->learned) continue;
        const Tensor sum = session.own_gradient(*parameter);
        std::vector<float>& host = memory.emplace_back(static_cast<size_t>(sum.elements()));
        std::copy_n(sum.as<float>(), host.size(), host.data());
        if (host.empty()) continue;
        files[0].slices.emplace_back(parameter->name, parameter->shape,
                                     parameter->first + own_shard(*parameter, grid.layout()).begin,
                                     Tensor{host.data(), {sum.elements()}, DType::kF32, {}});
    }
    TrainState state;
    state.step = 1;
    save_checkpoint(folder, state, files, grid.disks());
    if (world.rank() == 0) std::ofstream(folder / "summary.json") << summary.dump();
}

}  // namespace polytrain::testing
