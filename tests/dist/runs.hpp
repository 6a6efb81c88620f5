#pragma once
// Runs of several ranks, and what they left, compared.

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/folder.hpp"
#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/mpirun.hpp"
#include "support/temp_folder.hpp"

namespace polytrain::testing {

// Ranks, those of an expert group, sharding.
struct Spread {
    int ranks = 1, expert = 1, sharding = 0;
    std::string text() const {
        return std::to_string(ranks) + " ranks, expert " + std::to_string(expert) + ", sharding " +
               std::to_string(sharding);
    }
};

inline nlohmann::json small_moe() {
    return nlohmann::json::parse(R"({
        "seed": 3, "precision": "f32", "threads": 1,
        "model": {"d_model": 32, "layers": 2, "heads": 4, "context": 12, "vocab_size": 61,
                  "feed_forward": {"activation": "polynorm", "hidden": 24},
                  "moe": {"experts": 8, "top_k": 2}},
        "data": {"synthetic": true},
        "train": {"steps": 4, "batch": 16, "micro_batch": 2},
        "optimizer": {"lr": 0.01}})");
}
inline nlohmann::json small_dense() {
    nlohmann::json config = small_moe();
    config["model"].erase("moe");
    config["model"]["feed_forward"] = {{"activation", "swiglu"}, {"hidden", 48}};
    config["model"]["tied"] = true;
    return config;
}

inline std::filesystem::path write_config(const TempFolder& folder, nlohmann::json config,
                                          const Spread& spread, const std::string& name) {
    config["parallel"]["expert"] = spread.expert;
    config["parallel"]["sharding"] = spread.sharding;
    const std::filesystem::path path = folder / (name + ".json");
    std::ofstream(path) << config.dump();
    return path;
}

// The gradients of a step (see ranks/modes.hpp), as a checkpoint, and its figures.
struct Gradients {
    Checkpoint tensors;
    nlohmann::json summary;
};
// `environment`: as NAME=VALUE..., for device.hpp.
inline Gradients gradients_of(const nlohmann::json& config, const Spread& spread,
                              const std::string& mask = "none", int steps = 1,
                              const std::string& environment = "") {
    const TempFolder folder;
    const std::filesystem::path out = folder / "out";
    const ProgramResult run =
        run_ranks(spread.ranks,
                  "env " + environment + " " POLYTRAIN_DIST_RANKS " gradients '" +
                      write_config(folder, config, spread, "config").string() + "' '" +
                      out.string() + "' " + mask + " " + std::to_string(steps),
                  300);
    INFO(spread.text() << ": " << run.err);
    REQUIRE(run.exit_code == 0);
    // Mapped files outlive their names.
    return {Checkpoint::open(checkpoint_folder(out, 1)),
            nlohmann::json::parse(read_file(out / "summary.json"))};
}

inline std::vector<float> tensor_of(const Checkpoint& checkpoint, const std::string& name) {
    const Checkpoint::TensorInfo& info = checkpoint.tensors().at(name);
    std::vector<float> values(static_cast<size_t>(info.shape.elements()));
    checkpoint.read(name, {values.data(), info.shape, DType::kF32, {}});
    return values;
}

// Every tensor of both; the largest difference is at most `tolerance` of the largest magnitude, or
// with 0 the bits are the same.
inline void check_same(const Checkpoint& expected, const Checkpoint& actual, double tolerance) {
    REQUIRE(expected.tensors().size() == actual.tensors().size());
    for (const auto& [name, info] : expected.tensors()) {
        INFO(name);
        const std::vector<float> a = tensor_of(expected, name), b = tensor_of(actual, name);
        double difference = 0, size = 0;
        for (size_t i = 0; i < a.size(); ++i) {
            difference = std::max(difference, std::fabs(double{a[i]} - double{b[i]}));
            size = std::max(size, std::fabs(double{a[i]}));
        }
        CHECK(difference <= tolerance * size);
    }
}

// Metrics without the figures that a clock decides.
inline std::vector<nlohmann::json> metrics_of(const std::filesystem::path& folder) {
    std::ifstream in(folder / "metrics.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(nlohmann::json::parse(line, nullptr, false));
        if (!lines.back().is_object()) {  // being written
            lines.pop_back();
            break;
        }
        for (const char* figure : {"tokens_per_s", "data_wait_s", "mfu"})
            lines.back().erase(figure);
    }
    return lines;
}

// The run's folder after the program trained as that many ranks.
inline ProgramResult train_ranks(const std::filesystem::path& config, const Spread& spread,
                                 const std::filesystem::path& out, const std::string& more = "",
                                 const std::string& environment = "") {
    return run_ranks(spread.ranks, "env " + environment + " " POLYTRAIN_PROGRAM " train '" +
                                       config.string() + "' --out '" + out.string() + "' " + more);
}

}  // namespace polytrain::testing
