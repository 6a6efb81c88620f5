#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/save.hpp"
#include "config/load.hpp"
#include "data/loader.hpp"
#include "dist/ranks/device.hpp"
#include "dist/ranks/modes.hpp"
#include "tensor/host.hpp"
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

// A session at the start of a run, and its first step's micro-batches.
struct Start {
    std::unique_ptr<Backend> backend;
    OpTable chosen_ops, ops;
    RunConfig config;
    Grid grid;
    std::unique_ptr<TrainingSession> session;

    Start(World& world, const std::string& path)
        : backend(tested_backend(world)),
          config(load(world, path)),
          grid(world, static_cast<int>(config.parallel.expert)),
          session(std::make_unique<TrainingSession>(config, *backend, ops, &grid)) {
        session->initialise(config.seed);
    }
    RunConfig load(World& world, const std::string& path) {
        register_tested_ops(*backend, ops, chosen_ops, world);
        return load_config(path, {}, ops.activations());
    }
    std::vector<HostBatch> batches(int64_t step, const std::string& mask) const {
        const DataTokenizer tokenizer(config.data);
        const Loader loader(config.data, tokenizer, config.seed, config.model.context,
                            config.model.vocab_size);
        return read_batches(loader, config, grid.layout(), step, mask);
    }
};

}  // namespace

void make_bad_step(World& world, const std::string& config_path) {
    const Start start(world, config_path);
    const std::vector<HostBatch> batches = start.batches(0, "none");
    // Of each token, which ranks have it.
    std::vector<int64_t> owners(static_cast<size_t>(start.config.model.vocab_size));
    for (const HostBatch& batch : batches)
        for (const int32_t id : batch.ids)
            owners[static_cast<size_t>(id)] |= int64_t{1} << (20 * world.rank());
    start.grid.all().all_reduce(host_view(owners), Reduce::kSum, "owners").wait();
    const auto only = std::find(owners.begin(), owners.end(), int64_t{1} << 20);
    PT_CHECK(only != owners.end(), "every token is on both ranks");
    const Parameter& table = *start.session->model().parameters()[0];
    const Tensor value = start.session->pass()[table.value];
    value.as<float>()[(only - owners.begin()) * value.dim(1)] = std::nanf("");
    run_step(*start.session, start.grid, batches, 1);
}

void write_gradients(World& world, const std::string& config_path,
                     const std::filesystem::path& folder, const std::string& mask, int steps) {
    const Start start(world, config_path);
    const Grid& grid = start.grid;
    TrainingSession& session = *start.session;
    StepResult result;
    std::vector<double> losses;
    for (int64_t step = 0; step < steps; ++step) {
        result = run_step(session, grid, start.batches(step, mask), step + 1);
        losses.push_back(result.loss);
        if (step + 1 < steps) session.update(step + 1, start.config.optimizer.lr);
    }

    nlohmann::json summary = summary_of(result);
    summary["losses"] = losses;
    summary["graph"] = session.has_graph();
    for (const std::string& other : gather_texts(grid.all(), summary.dump(), "summary"))
        PT_CHECK(other == summary.dump(), "ranks differ: {} and {}", summary.dump(), other);
    std::vector<FileContents> files(1);
    files[0].name = fmt::format("gradients-{}.safetensors", world.rank());
    std::vector<std::vector<float>> memory;
    for (const Parameter* parameter : session.model().parameters()) {
        if (!parameter->learned) continue;
        const Tensor sum = session.own_gradient(*parameter);
        std::vector<float>& host = memory.emplace_back(to_host<float>(session.pass().stream, sum));
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
