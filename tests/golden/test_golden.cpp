// The loss and every gradient of small dense models, as PyTorch computed them (make.py).

#include <cmath>

#include "checkpoint/safetensors.hpp"
#include "support/model_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

uint64_t split_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// Uniform in [-1, 1), a function of name and index; make.py has the same.
double number(const std::string& name, int64_t index) {
    uint64_t key = 0xcbf29ce484222325u;
    for (const char c : name) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return std::ldexp(static_cast<double>(split_mix(key + static_cast<uint64_t>(index)) >> 11),
                      -52) -
           1;
}

double weight(const Parameter& parameter, int64_t index) {
    const double x = number(parameter.name, index);
    switch (parameter.decay) {
        case DecayClass::kGain:
            return 1 + 0.5 * x;
        case DecayClass::kCoefficient:
            return 0.1 * x + (index == 0 ? 0.0 : 1.0 / 3);
        default:
            return 0.5 * x;
    }
}

ModelConfig config_of(const std::string& activation, const std::string& qk_norm, bool tied) {
    ModelConfig config;
    config.d_model = 16;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.context = 11;
    config.vocab_size = 23;
    config.qk_norm = qk_norm;
    config.tied = tied;
    config.feed_forward.activation = activation;
    config.feed_forward.gated = activation == "swiglu";
    config.feed_forward.hidden = activation == "swiglu" ? 13 : 19;
    return config;
}

// |actual - expected| / |expected|, Euclidean.
double relative_error(const std::vector<double>& expected, const std::vector<double>& actual) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("golden: loss and every gradient are PyTorch's, in f32 and by reference in f64") {
    const SafetensorsFile golden(std::string(POLYTRAIN_SOURCE_DIR) +
                                 "/tests/golden/gradients.safetensors");
    const auto values = [&](const std::string& name) {
        const auto entry = golden.tensors().find(name);
        REQUIRE(entry != golden.tensors().end());
        const std::span<const std::byte> bytes = golden.bytes(entry->second);
        std::vector<float> all(bytes.size() / sizeof(float));
        std::memcpy(all.data(), bytes.data(), bytes.size());
        return std::vector<double>(all.begin(), all.end());
    };
    double largest = 0;
    size_t compared = 0;
    for (const std::string activation : {"swiglu", "polyrelu", "polynorm"})
        for (const std::string qk_norm : {"none", "full", "head"})
            for (const bool tied : {false, true})
                for (const DType dtype : {DType::kF32, DType::kF64}) {
                    const ModelRun run(config_of(activation, qk_norm, tied), 2, dtype,
                                       dtype == DType::kF64);
                    const std::string name =
                        activation + "/" + qk_norm + (tied ? "/tied/" : "/untied/");
                    for (const Parameter* parameter : run.model.parameters()) {
                        const Tensor value = run.pass()[parameter->value];
                        for (int64_t i = 0; i < value.elements(); ++i)
                            write_element(value, i, static_cast<float>(weight(*parameter, i)));
                    }
                    std::vector<int32_t> ids, targets;
                    for (int64_t i = 0; i < 22; ++i) {
                        ids.push_back(static_cast<int32_t>((number("ids", i) + 1) / 2 * 23));
                        targets.push_back(
                            i % 7 == 0 ? -1
                                       : static_cast<int32_t>((number("targets", i) + 1) / 2 * 23));
                    }
                    run.set_tokens(ids, targets);
                    INFO(name << " in " << name_of(dtype));
                    CHECK(run.gradients() == Approx(values(name + "loss")[0]).epsilon(2e-6));
                    for (const Parameter* parameter : run.model.parameters()) {
                        INFO(parameter->name);
                        const double error =
                            relative_error(values(name + parameter->name),
                                           ModelRun::values(run.pass()[parameter->gradient]));
                        CHECK(error < 2e-5);
                        largest = std::max(largest, error);
                        ++compared;
                    }
                }
    CHECK(compared == 2 * (golden.tensors().size() - 18));  // all but the 18 losses
    std::printf("golden: %zu gradients, largest relative error %.1e\n", compared, largest);
}
