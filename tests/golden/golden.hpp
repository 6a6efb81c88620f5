#pragma once
// What PyTorch computed, from a file that make.py or make_moe.py made, and the weights and tokens
// it was computed with.

#include <cmath>

#include "checkpoint/safetensors.hpp"
#include "support/model_run.hpp"

namespace polytrain::testing {

inline uint64_t split_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// Uniform in [-1, 1), a function of name and index; make.py has the same.
inline double number(const std::string& name, int64_t index) {
    uint64_t key = 0xcbf29ce484222325u;
    for (const char c : name) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return std::ldexp(static_cast<double>(split_mix(key + static_cast<uint64_t>(index)) >> 11),
                      -52) -
           1;
}

inline double weight(const Parameter& parameter, int64_t index) {
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

inline void set_weights(const ModelRun& run) {
    for (const Parameter* parameter : run.model.parameters()) {
        if (!parameter->learned) continue;
        const Tensor value = run.pass()[parameter->value];
        for (int64_t i = 0; i < value.elements(); ++i)
            write_element(value, i, static_cast<float>(weight(*parameter, i)));
    }
}

inline void set_tokens(const ModelRun& run, const std::string& seed) {
    const auto id = [](const std::string& name, int64_t i) {
        return static_cast<int32_t>((number(name, i) + 1) / 2 * 23);
    };
    std::vector<int32_t> ids, targets;
    for (int64_t i = 0; i < 22; ++i) {
        ids.push_back(id("ids" + seed, i));
        targets.push_back(i % 7 == 0 ? -1 : id("targets" + seed, i));
    }
    run.set_tokens(ids, targets);
}

inline ModelConfig golden_config(const std::string& activation, const std::string& qk_norm) {
    ModelConfig config;
    config.d_model = 16;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.context = 11;
    config.vocab_size = 23;
    config.qk_norm = qk_norm;
    config.feed_forward.activation = activation;
    config.feed_forward.gated = activation == "swiglu";
    config.feed_forward.hidden = activation == "swiglu" ? 13 : 19;
    return config;
}

// |actual - expected| / |expected|, Euclidean.
inline double relative_error(const std::vector<double>& expected,
                             const std::vector<double>& actual) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    return std::sqrt(difference / size);
}

// A file of tensors named CASE/TENSOR.
class GoldenFile {
  public:
    explicit GoldenFile(const std::string& name)
        : file_(std::string(POLYTRAIN_SOURCE_DIR) + "/tests/golden/" + name) {}

    size_t size() const { return file_.tensors().size(); }
    std::vector<double> operator[](const std::string& name) const {
        INFO(name);
        const auto entry = file_.tensors().find(name);
        REQUIRE(entry != file_.tensors().end());
        const std::span<const std::byte> bytes = file_.bytes(entry->second);
        std::vector<float> all(bytes.size() / sizeof(float));
        std::memcpy(all.data(), bytes.data(), bytes.size());
        return {all.begin(), all.end()};
    }

  private:
    SafetensorsFile file_;
};

}  // namespace polytrain::testing
