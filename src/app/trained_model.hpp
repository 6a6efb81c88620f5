#pragma once

#include <filesystem>

#include "checkpoint/checkpoint.hpp"
#include "config/run_config.hpp"
#include "data/data_tokenizer.hpp"

namespace polytrain {

// What a run left to use: a checkpoint, its config and its tokenizer.
struct TrainedModel {
    Checkpoint checkpoint;
    RunConfig config;
    DataTokenizer tokenizer;
};

// Of a run's folder the newest checkpoint that verifies; those passed over are told. Or of a
// checkpoint's folder that one. The tokenizer is the copy in the run's folder, else what the config
// names. Neither folder, or no checkpoint: exit 66; there are some and none verifies: exit 65.
TrainedModel open_trained_model(const std::filesystem::path& folder);

}  // namespace polytrain
