#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/grid.hpp"
#include "config/run_config.hpp"
#include "core/file_lock.hpp"
#include "ops/activation.hpp"

namespace polytrain {

// Makes the folder, or with `resume` looks into the one there is, and locks it: two runs that train
// in one folder would spoil it. All ranks of a run call it; rank 0 has the lock. Returns the
// checkpoint to go on from, or nothing where there is none to start from. Changes nothing of a run.
//
// Another process is training there: exit 73. The checkpoint's model or seed is not the config's:
// exit 78 with the keys that differ; other differences are logged, the config wins. There are
// checkpoints but none verifies: exit 65. A run is there and `resume` is false, or not all ranks
// see the folder: exit 73.
struct OpenedRun {
    FileLock lock;
    std::optional<Checkpoint> checkpoint;
    std::vector<PassedOver> passed_over;
};
OpenedRun open_run_folder(const std::filesystem::path& folder, bool resume, const RunConfig& config,
                          const ActivationCatalog& catalog, const Grid& grid);

// Makes the folder ready for the run's steps, once nothing can be refused any more: what killed
// saves left is removed, damaged checkpoints step out of the way of new ones of their step (step-20
// becomes step-20.damaged), and config.json is written, and the text of the tokenizer's file where
// it has one, so that the folder can be used by itself.
inline constexpr const char* kTokenizerName = "tokenizer.json";
void begin_run(const std::filesystem::path& folder, const std::vector<PassedOver>& passed_over,
               const std::string& config_json, const std::string& tokenizer_text);

}  // namespace polytrain
