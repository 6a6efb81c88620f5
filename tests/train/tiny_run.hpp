#pragma once
// A run small enough to be trained many times in a test.

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "support/op_suite.hpp"
#include "support/temp_folder.hpp"
#include "train/session.hpp"
#include "train/train.hpp"

namespace polytrain::testing {

inline RunConfig tiny_config() {
    RunConfig config;
    config.seed = 5;
    config.model.d_model = 32;
    config.model.layers = 2;
    config.model.heads = 4;
    config.model.kv_heads = 2;
    config.model.context = 40;  // not a multiple of any tile
    config.model.vocab_size = 61;
    config.model.feed_forward.hidden = 80;
    config.data.synthetic = true;
    config.train.steps = 20;
    config.train.batch = 6;
    config.train.micro_batch = 3;
    config.train.checkpoint_every = 10;
    config.train.eval_every = 5;
    config.train.eval_sequences = 8;
    config.optimizer.lr = 0.01;
    config.optimizer.schedule.warmup_steps = 4;
    return config;
}

inline TrainResult train_with(const RunConfig& config, const std::filesystem::path& folder,
                              int threads, bool resume = false) {
    const Machine machine(threads);
    return train(config, {folder, resume, nullptr}, *machine.backend, machine.ops);
}

// The lines of metrics.jsonl without the figures that a clock decides.
inline std::vector<nlohmann::json> metrics_of(const std::filesystem::path& folder) {
    std::ifstream in(folder / "metrics.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(nlohmann::json::parse(line));
        lines.back().erase("tokens_per_s");
        lines.back().erase("data_wait_s");
        lines.back().erase("mfu");
    }
    return lines;
}

// Every tensor of a checkpoint, byte by byte.
inline bool same_tensors(const std::filesystem::path& a, const std::filesystem::path& b) {
    const Checkpoint left = Checkpoint::open(a), right = Checkpoint::open(b);
    if (left.tensors().size() != right.tensors().size()) return false;
    for (const auto& [name, info] : left.tensors()) {
        std::vector<std::byte> first(static_cast<size_t>(info.shape.elements()) *
                                     size_of(info.dtype)),
            second(first.size());
        left.read(name, {first.data(), info.shape, info.dtype, {}});
        right.read(name, {second.data(), info.shape, info.dtype, {}});
        if (first != second) return false;
    }
    return true;
}

// The same and all counters, but not the config.
inline bool same_checkpoint(const std::filesystem::path& a, const std::filesystem::path& b) {
    TrainState left = Checkpoint::open(a).state(), right = Checkpoint::open(b).state();
    left.config_json = right.config_json = {};
    return left == right && same_tensors(a, b);
}

}  // namespace polytrain::testing
