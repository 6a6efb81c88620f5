#include <cmath>

#include "data/loader.hpp"
#include "optim/schedule.hpp"
#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("training: every activation learns what there is to learn") {
    const Machine machine(1);
    // P(token < v) = (v / V)^(1/3): its entropy is the lowest loss there is.
    double entropy = 0;
    for (int v = 0; v < 61; ++v) {
        const double p = std::cbrt((v + 1) / 61.0) - std::cbrt(v / 61.0);
        entropy -= p * std::log(p);
    }
    for (const std::string& name : machine.ops.activations().names()) {
        INFO(name);
        RunConfig config = tiny_config();
        config.model.feed_forward.activation = name;
        config.model.feed_forward.gated = !ActivationCatalog::gated_form(name).empty();
        config.train.steps = 60;
        const TempFolder folder;
        train_with(config, folder / "run", 2);
        const auto metrics = metrics_of(folder / "run");
        CHECK(metrics.front()["loss"].get<double>() == Approx(std::log(61.0)).margin(0.3));
        CHECK(metrics.back()["val_loss"].get<double>() < entropy + 0.15);
        CHECK(metrics.back()["val_loss"].get<double>() > entropy - 0.15);
    }
}

TEST_CASE("training: metrics have one object a step, val_loss where evaluated") {
    const TempFolder folder;
    train_with(tiny_config(), folder / "run", 2);
    const auto metrics = metrics_of(folder / "run");
    REQUIRE(metrics.size() == 20);
    for (size_t i = 0; i < 20; ++i) {
        CHECK(metrics[i]["step"] == i + 1);
        CHECK(metrics[i]["tokens"] == (i + 1) * 6 * 40);
        CHECK(metrics[i].contains("grad_norm"));
        CHECK(metrics[i]["lr"].get<double>() ==
              learning_rate(tiny_config().optimizer, {20, 4, 0}, static_cast<int64_t>(i) + 1));
        CHECK(metrics[i].contains("val_loss") == ((i + 1) % 5 == 0));
    }
    CHECK(std::filesystem::exists(folder.path() / "run/config.json"));
    CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/step-10/manifest.json"));
    CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/step-20/manifest.json"));
}

TEST_CASE("training: the first loss is the plain mean over the first batch's targets") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const Machine machine(1);
    TrainingSession session(config, *machine.backend, machine.ops);
    session.initialise(config.seed);
    const Loader loader(config.data, DataTokenizer(config.data), config.seed, 40, 61);
    double sum = 0;
    for (int64_t first : {0, 3}) {
        HostBatch batch(3 * 40);
        loader.fill(first, 3, batch.ids.data(), batch.targets.data());
        sum += session.loss_sum(batch);
    }
    CHECK(metrics_of(folder / "run")[0]["loss"].get<double>() == Approx(sum / 240).epsilon(1e-12));
}

TEST_CASE("training: val_loss is the plain mean over the held-out sequences' tokens") {
    const RunConfig config = tiny_config();  // 8 sequences in groups of 3: the last has 2
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const Machine machine(1);
    TrainingSession session(config, *machine.backend, machine.ops);
    session.restore(Checkpoint::open(folder.path() / "run/checkpoints/step-20"));
    const ValidationReader reader(SourceConfig{}, DataTokenizer(config.data), config.seed, 40, 61,
                                  8);
    REQUIRE(reader.sequences() == 8);
    double sum = 0;
    for (int64_t i = 0; i < 8; ++i) {
        HostBatch batch(3 * 40);
        std::fill(batch.targets.begin(), batch.targets.end(), -1);
        reader.fill(i, 1, batch.ids.data(), batch.targets.data());
        sum += session.loss_sum(batch);
    }
    CHECK(metrics_of(folder / "run")[19]["val_loss"].get<double>() ==
          Approx(sum / (8 * 40)).epsilon(1e-6));
}

TEST_CASE("training: ends at tokens, and at seconds") {
    RunConfig config = tiny_config();
    config.train.steps = 0;
    config.train.tokens = 6 * 40 * 3 - 1;  // within the third step
    const TempFolder folder;
    CHECK(train_with(config, folder / "tokens", 2).step == 3);
    config.train.tokens = 0;
    config.train.seconds = 0.2;
    CHECK(train_with(config, folder / "seconds", 2).step >= 1);
}

TEST_CASE("training: a diverging run stops before the update with exit 76") {
    RunConfig config = tiny_config();
    config.optimizer.lr = 1e30;
    config.optimizer.schedule.warmup_steps = 0;
    const TempFolder folder;
    const Thrown thrown = thrown_by([&] { train_with(config, folder / "run", 2); });
    CHECK(thrown.code == ExitCode::kNumerics);
    CHECK(thrown.says("step 2"));
    CHECK(thrown.says("gradient"));
}

TEST_CASE("training: weights that the last update broke are not saved") {
    RunConfig config = tiny_config();
    config.train.steps = 1;
    config.optimizer.lr = 1e30;
    config.optimizer.schedule.warmup_steps = 0;
    const TempFolder folder;
    const Thrown evaluated = thrown_by([&] { train_with(config, folder / "run", 2); });
    CHECK(evaluated.code == ExitCode::kNumerics);
    CHECK(evaluated.says("validation loss"));
    CHECK(std::filesystem::is_empty(folder.path() / "run/checkpoints"));

    Thrown saved;
    {
        const Machine machine(1);
        TrainingSession session(config, *machine.backend, machine.ops);
        session.initialise(config.seed);
        session.begin_step();
        HostBatch batch(3 * 40);
        session.accumulate(batch);
        session.measure_step(1);
        session.update(1, 1e39);
        saved = thrown_by([&] { session.snapshot(1); });
    }
    CHECK(saved.code == ExitCode::kNumerics);
}

TEST_CASE("training: a used run folder, another model, another seed and other data are refused") {
    const TempFolder folder;
    RunConfig config = tiny_config();
    config.train.steps = 2;
    config.optimizer.schedule.warmup_steps = 1;
    train_with(config, folder / "run", 2);
    CHECK(thrown_by([&] { train_with(config, folder / "run", 2); }).code == ExitCode::kCannotWrite);
    RunConfig other = config;
    other.model.d_model = 64;
    const Thrown model = thrown_by([&] { train_with(other, folder / "run", 2, true); });
    CHECK(model.code == ExitCode::kBadConfig);
    CHECK(model.says("model.d_model: 32 -> 64"));
    other = config;
    other.seed = 6;
    CHECK(thrown_by([&] { train_with(other, folder / "run", 2, true); }).says("seed: 5 -> 6"));
    // What is refused leaves the run as it was.
    CHECK(nlohmann::json::parse(std::ifstream(folder.path() / "run/config.json"))["seed"] == 5);
    other = config;
    other.train.steps = 4;  // allowed: the run gets longer
    CHECK(train_with(other, folder / "run", 2, true).step == 4);
}
