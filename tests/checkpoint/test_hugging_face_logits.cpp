// Logits of exported models, by an implementation in PyTorch that shares nothing with ours
// (hugging_face_logits.py). Skipped where no python3 has torch.

#include <cstdio>

#include "checkpoint/hugging_face.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/whole_logits.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Of the python3 on the PATH and the distribution's the first that has torch; empty: none.
std::string python_with_torch() {
    for (const std::string python : {"python3", "/usr/bin/python3"})
        if (run_shell(python + " -c 'import torch'").exit_code == 0) return python;
    return "";
}

// By PyTorch, [ids, vocabulary].
std::vector<float> foreign_logits(const std::string& python, const fs::path& hub,
                                  const std::vector<int32_t>& ids) {
    const TempFolder folder;
    spit(folder / "ids.json", nlohmann::json(ids).dump());
    const ProgramResult result =
        run_shell(fmt::format(
            "{} '" POLYTRAIN_SOURCE_DIR "/tests/checkpoint/hugging_face_logits.py' '{}' "
            "'{}' '{}'",
            python, hub.string(), (folder / "ids.json").string(), (folder / "logits").string()));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const std::string bytes = slurp(folder / "logits");
    std::vector<float> logits(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), bytes.size());
    return logits;
}

// By PolyTrain, of the run that the folder was imported to.
std::vector<float> own_logits(const ModelConfig& model, const fs::path& step,
                              const std::vector<int32_t>& ids) {
    RunConfig config;
    config.model = model;
    const Machine machine(2);
    const InferenceSession session(config, *machine.backend, machine.ops, Checkpoint::open(step));
    std::vector<float> all;
    for (size_t count = 1; count <= ids.size(); ++count) {
        const std::vector<float> last = whole_logits(session, {ids.begin(), ids.begin() + count});
        all.insert(all.end(), last.begin(), last.end());
    }
    return all;
}

}  // namespace

TEST_CASE("hugging face: the logits of exported models are PyTorch's to 1e-4") {
    const std::string python = python_with_torch();
    if (python.empty()) {
        WARN("skipped: no python3 here has torch (Debian: python3-torch)");
        return;
    }
    std::vector<ModelConfig> configs{stock_model(false), stock_model(true)};
    ModelConfig config = stock_model(false);
    config.tied = true;
    config.feed_forward.activation = "gelu_tanh";
    configs.push_back(config);
    config = stock_model(true);
    config.moe.renormalise = true;
    config.moe.top_k = 3;
    configs.push_back(config);
    for (const char* activation : {"polynorm", "polyrelu"}) {  // no stock class
        config = stock_model(std::string(activation) == "polynorm");
        config.feed_forward.activation = activation;
        config.feed_forward.gated = false;
        configs.push_back(config);
    }
    Random random("logits");
    double largest = 0;
    for (size_t i = 0; i < configs.size(); ++i) {
        INFO("model " << i);
        const SavedModel saved(configs[i], random);
        const TempFolder folder;
        saved.export_to(folder / "hub", {DType::kF32, 3000, nullptr});
        import_from(folder / "hub", folder / "run");
        std::vector<int32_t> ids;
        for (int64_t n = 0; n < configs[i].context; ++n)
            ids.push_back(static_cast<int32_t>(random.integer(0, configs[i].vocab_size - 1)));
        const std::vector<float> expected = foreign_logits(python, folder / "hub", ids);
        const std::vector<float> actual =
            own_logits(configs[i], folder.path() / "run/checkpoints/step-0", ids);
        REQUIRE(actual.size() == expected.size());
        REQUIRE(!actual.empty());
        for (size_t n = 0; n < actual.size(); ++n) {
            REQUIRE(std::isfinite(actual[n]));
            largest = std::max(largest, std::abs(double{actual[n]} - double{expected[n]}));
        }
    }
    CHECK(largest < 1e-4);
    std::printf("hugging face: logits of %zu models, largest difference %.1e\n", configs.size(),
                largest);
}
