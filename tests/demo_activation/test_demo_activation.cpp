// An activation is one header and one word: what polysoftsign has that nobody wrote for it. Its
// kernels and gradients are tested by tests/ops/test_activation.cpp, which is in this program too.

#include <cmath>

#include "config/load.hpp"
#include "core/file.hpp"
#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr const char* kName = "polysoftsign";
constexpr const char* kCoefficients = "layers.0.feed_forward.coefficients";

ActivationCatalog catalog() {
    OpTable ops;
    make_cpu_backend(1)->register_ops(ops);
    return ops.activations();
}

// A tiny run of the demonstration, as a config file says it.
RunConfig demo_config(int order, bool gated) {
    auto json = nlohmann::json::parse(emit_config(tiny_config(), catalog()));
    json["model"]["feed_forward"]["activation"] = kName;
    json["model"]["feed_forward"]["order"] = order;
    json["model"]["feed_forward"]["gated"] = gated;
    return parse_config_text(json.dump(), "demo.json", catalog());
}

std::vector<float> read_vector(const Checkpoint& checkpoint, const std::string& name) {
    const Checkpoint::TensorInfo info = checkpoint.tensors().at(name);
    REQUIRE(info.dtype == DType::kF32);
    std::vector<float> values(static_cast<size_t>(info.shape.elements()));
    checkpoint.read(name, {values.data(), info.shape, info.dtype, {}});
    return values;
}

}  // namespace

TEST_CASE("demo activation: name, family, orders and initial coefficients") {
    const ActivationCatalog all = catalog();
    const ActivationInfo* info = all.find(kName);
    REQUIRE(info != nullptr);
    CHECK(info->family == ActivationFamily::kPointwise);
    CHECK(info->min_order == 1);
    CHECK(info->max_order == 4);
    REQUIRE(info->coefficients(2) == 3);
    CHECK(info->initial(0, 2) == 0);
    CHECK(info->initial(1, 2) == 0.5);
    CHECK(info->initial(2, 2) == 0.5);
}

TEST_CASE("demo activation: config, its errors, schema and docs page") {
    const RunConfig config = demo_config(2, false);
    CHECK(config.model.feed_forward.activation == kName);
    CHECK(config.model.feed_forward.order == 2);
    CHECK(parse_config_text(emit_config(config, catalog()), "again.json", catalog()) == config);
    const Thrown thrown = thrown_by([] { demo_config(5, false); });
    CHECK(thrown.code == ExitCode::kBadConfig);
    CHECK(thrown.says("polysoftsign has orders 1 to 4"));

    const auto schema = nlohmann::json::parse(config_schema(catalog()));
    const nlohmann::json names = schema.at(
        "/properties/model/properties/feed_forward/properties/activation/enum"_json_pointer);
    CHECK(std::find(names.begin(), names.end(), kName) != names.end());
    CHECK_THAT(config_markdown(catalog()), ContainsSubstring("\"polysoftsign\""));
}

TEST_CASE("demo activation: trains, plain and gated, and is in the checkpoint") {
    for (const bool gated : {false, true}) {
        INFO((gated ? "gated" : "plain"));
        const RunConfig config = demo_config(2, gated);
        const TempFolder folder;
        train_with(config, folder / "run", 2);
        const auto metrics = metrics_of(folder / "run");
        CHECK(metrics.back()["loss"].get<double>() < metrics.front()["loss"].get<double>() - 0.4);
        const auto checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-20");
        CHECK(checkpoint.tensors().count("layers.0.feed_forward.gate_up") == (gated ? 1 : 0));
        for (const std::string name : {kCoefficients, "layers.1.feed_forward.coefficients"}) {
            INFO(name);
            const std::vector<float> values = read_vector(checkpoint, name);
            REQUIRE(values.size() == 3);
            for (size_t k = 0; k < 3; ++k) {
                CHECK(std::isfinite(values[k]));
                CHECK(values[k] != (k == 0 ? 0.0f : 0.5f));
            }
        }
    }
}

TEST_CASE("demo activation: coefficients have no weight decay") {
    // The first step's gradients are those of the same weights, so decay is all the difference.
    const auto after_a_step = [](double weight_decay, const char* name) {
        RunConfig config = demo_config(3, false);
        config.train.steps = 1;
        config.optimizer.schedule.warmup_steps = 0;
        config.optimizer.weight_decay = weight_decay;
        const TempFolder folder;
        train_with(config, folder / "run", 2);
        return read_vector(Checkpoint::open(folder.path() / "run/checkpoints/step-1"), name);
    };
    CHECK(after_a_step(0, kCoefficients) == after_a_step(10, kCoefficients));
    const char* matrix = "layers.0.feed_forward.up";
    CHECK(after_a_step(0, matrix) != after_a_step(10, matrix));
}

TEST_CASE("demo activation: docs/add_activation.md shows this header") {
    const std::string root = POLYTRAIN_SOURCE_DIR;
    CHECK_THAT(read_file(root + "/docs/add_activation.md"),
               ContainsSubstring(read_file(root + "/tests/demo_activation/polysoftsign.hpp")));
}
