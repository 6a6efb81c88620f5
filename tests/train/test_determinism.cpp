#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("training: 1, 2 and 4 threads give the same losses and weights over 20 steps") {
    for (const char* precision : {"f32", "bf16"}) {
        RunConfig config = tiny_config();
        config.precision = precision;
        if (precision == std::string("bf16")) {
            config.model.feed_forward.activation = "swiglu";
            config.model.feed_forward.gated = true;
            config.model.qk_norm = "head";
        }
        const TempFolder folder;
        for (int threads : {1, 2, 4}) train_with(config, folder / std::to_string(threads), threads);
        REQUIRE(metrics_of(folder / "1").size() == 20);
        for (const char* other : {"2", "4"}) {
            CHECK(metrics_of(folder / "1") == metrics_of(folder / other));
            CHECK(same_checkpoint(folder.path() / "1/checkpoints/step-20",
                                  folder.path() / other / "checkpoints/step-20"));
        }
    }
}

TEST_CASE("training: 20 steps equal 10, resume, and 10 more, in every bit") {
    RunConfig config = tiny_config();
    config.precision = GENERATE("f32", "bf16");
    const TempFolder folder;
    train_with(config, folder / "whole", 2);
    // A run that was killed after step 13: its last checkpoint is step 10, its metrics go on to 13.
    train_with(config, folder / "cut", 2);
    std::filesystem::remove_all(folder.path() / "cut/checkpoints/step-20");
    {
        std::ifstream in(folder.path() / "whole/metrics.jsonl");
        std::ofstream out(folder.path() / "cut/metrics.jsonl");
        std::string line;
        for (int i = 0; i < 13 && std::getline(in, line); ++i) out << line << "\n";
        out << "{\"step\":14,\"tok";  // torn by the kill
    }
    const TrainResult result = train_with(config, folder / "cut", 2, true);
    CHECK(result.step == 20);
    CHECK(metrics_of(folder / "cut") == metrics_of(folder / "whole"));
    CHECK(same_checkpoint(folder.path() / "cut/checkpoints/step-20",
                          folder.path() / "whole/checkpoints/step-20"));
}

TEST_CASE("training: resume passes over a damaged checkpoint and starts anew without any") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "whole", 2);
    train_with(config, folder / "run", 2);
    const auto weights = folder.path() / "run/checkpoints/step-20/weights.safetensors";
    {
        std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-5, std::ios::end);
        file.put('\x55');
    }
    CHECK_THROWS_AS(Checkpoint::open(weights.parent_path()), Error);
    train_with(config, folder / "run", 2, true);
    CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/step-20.damaged/manifest.json"));
    CHECK(same_checkpoint(folder.path() / "run/checkpoints/step-20",
                          folder.path() / "whole/checkpoints/step-20"));

    // Not one good checkpoint: nothing is started over and nothing is lost.
    const auto before = metrics_of(folder / "run");
    for (const char* step : {"step-10", "step-20"})
        std::filesystem::resize_file(
            folder.path() / "run/checkpoints" / step / "weights.safetensors", 100);
    CHECK(thrown_by([&] { train_with(config, folder / "run", 2, true); }).code ==
          ExitCode::kCorrupt);
    CHECK(metrics_of(folder / "run") == before);
    CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/step-20/manifest.json"));

    train_with(config, folder / "fresh", 2, true);  // resume of nothing: a new run
    CHECK(metrics_of(folder / "fresh") == metrics_of(folder / "whole"));
}

TEST_CASE("training: micro-batches change the sum's order, not the result") {
    RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "a", 2);
    config.train.micro_batch = 6;
    train_with(config, folder / "b", 2);
    const auto a = metrics_of(folder / "a"), b = metrics_of(folder / "b");
    for (size_t i = 0; i < a.size(); ++i) {
        CHECK(a[i]["loss"].get<double>() == Approx(b[i]["loss"].get<double>()).epsilon(1e-4));
        CHECK(a[i]["grad_norm"].get<double>() ==
              Approx(b[i]["grad_norm"].get<double>()).epsilon(1e-2));
    }
}

TEST_CASE("training: each choice of recompute gives the bits of none") {
    for (const char* precision : {"f32", "bf16"}) {
        RunConfig config = tiny_config();
        config.precision = precision;
        config.model.qk_norm = "full";
        config.model.z_loss = 1e-3;
        const TempFolder folder;
        for (const char* recompute : {"none", "activation", "block"}) {
            config.train.recompute = recompute;
            train_with(config, folder / recompute, 2);
        }
        for (const char* other : {"activation", "block"}) {
            CHECK(metrics_of(folder / "none") == metrics_of(folder / other));
            CHECK(same_checkpoint(folder.path() / "none/checkpoints/step-20",
                                  folder.path() / other / "checkpoints/step-20"));
        }
    }
}

TEST_CASE("training: a checkpoint of one precision goes on in the other") {
    // Checkpoints hold the f32 weights that are updated, whatever the model computes in.
    RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "f32", 2);
    std::filesystem::copy(folder / "f32", folder / "other",
                          std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(folder.path() / "other/checkpoints/step-20");
    config.precision = "bf16";
    train_with(config, folder / "other", 2, true);
    const auto same = metrics_of(folder / "f32"), other = metrics_of(folder / "other");
    REQUIRE(other.size() == 20);
    const double loss = same[19]["loss"].get<double>(), changed = other[19]["loss"].get<double>();
    CHECK(loss != changed);
    CHECK(changed == Approx(loss).epsilon(1e-2));
}
