#include <cmath>
#include <map>

#include "checkpoint/save.hpp"
#include "data/loader.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// A session whose state can be looked into, by saving it.
struct Probe {
    RunConfig config;
    std::unique_ptr<Backend> backend = make_cpu_backend(2);
    OpTable ops;
    std::unique_ptr<TrainingSession> session;
    TempFolder folder;
    int64_t saves = 0;

    explicit Probe(const RunConfig& run_config) : config(run_config) {
        backend->register_ops(ops);
        session = std::make_unique<TrainingSession>(config, *backend, ops);
        session->initialise(config.seed);
    }
    HostBatch batch(int64_t first) const {
        HostBatch made(config.train.micro_batch * config.model.context);
        Loader(config.data, DataTokenizer(config.data), config.seed, config.model.context,
               config.model.vocab_size)
            .fill(first, config.train.micro_batch, made.ids.data(), made.targets.data());
        return made;
    }
    std::map<std::string, std::vector<float>> state() {
        TrainState counters;
        counters.step = ++saves;
        save_checkpoint(folder.path(), counters, session->snapshot(counters.step));
        const Checkpoint checkpoint =
            Checkpoint::open(checkpoint_folder(folder.path(), counters.step));
        std::map<std::string, std::vector<float>> tensors;
        for (const auto& [name, info] : checkpoint.tensors()) {
            tensors[name].resize(static_cast<size_t>(info.shape.elements()));
            checkpoint.read(name, {tensors[name].data(), info.shape, info.dtype, {}});
        }
        return tensors;
    }
    StepResult first_step(double lr) const {
        const StepResult result = session->measure_step(1);
        session->update(1, lr);
        return result;
    }
    // The norm of all first moments.
    double moment_norm() {
        double sum = 0;
        for (const auto& [name, values] : state())
            if (name.ends_with(".m"))
                for (float x : values) sum += static_cast<double>(x) * x;
        return std::sqrt(sum);
    }
};

HostBatch unscored(HostBatch batch) {
    std::fill(batch.targets.begin(), batch.targets.end(), -1);
    return batch;
}

}  // namespace

TEST_CASE("optimizer: decay takes matrices, by option embeddings and gains, and nothing else") {
    RunConfig config = tiny_config();
    config.optimizer.weight_decay = 0.5;
    config.model.qk_norm = "head";
    // I21: experts decay as all matrices do, without a token too; biases of routers never.
    config.model.moe.experts = GENERATE(0, 4);
    config.model.moe.hidden = 24;
    config.model.moe.balance = config.model.moe.z_loss = 0;
    const auto [embeddings, gains] =
        GENERATE(std::pair(false, false), std::pair(true, false), std::pair(false, true));
    config.optimizer.decay_embeddings = embeddings;
    config.optimizer.decay_gains = gains;
    Probe probe(config);
    const auto before = probe.state();
    probe.session->begin_step();
    probe.session->accumulate(unscored(probe.batch(0)));  // no gradient: decay alone moves weights
    const StepResult result = probe.first_step(0.1);
    CHECK(result.loss == 0);
    CHECK(result.grad_norm == 0);
    for (const auto& [name, after] : probe.state()) {
        const bool is_matrix = name.ends_with(".qkv") || name.ends_with(".out") ||
                               name.ends_with(".up") || name.ends_with(".down") ||
                               name.ends_with(".router.weight") || name == "head.weight";
        const bool decays = is_matrix || (embeddings && name == "embedding.table") ||
                            (gains && name.ends_with(".gain"));
        const float keep = decays ? 1 - 0.1f * 0.5f : 1.0f;
        INFO(name);
        for (size_t i = 0; i < after.size(); ++i)
            if (after[i] != Approx(before.at(name)[i] * keep).epsilon(1e-6)) FAIL("element " << i);
    }
}

TEST_CASE("optimizer: moments see the gradient over scored tokens, clipped by its norm") {
    RunConfig config = tiny_config();
    for (double clip : {0.0, 0.05}) {
        config.optimizer.clip = clip;
        Probe probe(config);
        probe.session->begin_step();
        probe.session->accumulate(probe.batch(0));
        const StepResult result = probe.first_step(0.01);
        REQUIRE(result.grad_norm > 0.05);
        // m = (1 - beta1) g after one step from zero.
        CHECK(probe.moment_norm() ==
              Approx(0.1 * (clip > 0 ? clip : result.grad_norm)).epsilon(1e-4));
    }
}

TEST_CASE("optimizer: the division is by all scored tokens of the step, once") {
    const RunConfig config = tiny_config();
    const auto run = [&](const std::vector<HostBatch>& batches) {
        Probe probe(config);
        probe.session->begin_step();
        for (const HostBatch& batch : batches) probe.session->accumulate(batch);
        return probe.first_step(0.01);
    };
    Probe probe(config);
    const HostBatch first = probe.batch(0);
    const StepResult once = run({first});
    const StepResult twice = run({first, first});
    CHECK(twice.loss == Approx(once.loss).epsilon(1e-6));
    CHECK(twice.grad_norm == Approx(once.grad_norm).epsilon(1e-5));
    const StepResult padded = run({unscored(first), first, unscored(first)});
    CHECK(padded.loss == Approx(once.loss).epsilon(1e-6));
    CHECK(padded.grad_norm == Approx(once.grad_norm).epsilon(1e-5));
}
