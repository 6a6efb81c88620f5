#pragma once

#include <filesystem>
#include <optional>

#include "checkpoint/checkpoint.hpp"
#include "config/run_config.hpp"
#include "ops/activation.hpp"

namespace polytrain {

// Makes the folder, or with `resume` opens the one there is. Returns the checkpoint to go on from,
// if any, and says on the log which it takes and which it passed over. The checkpoint's model or
// seed is not the config's: exit 78 with the keys that differ; other differences are logged, the
// config wins. A run is there and `resume` is false: exit 73. Writes config.json.
std::optional<Checkpoint> open_run_folder(const std::filesystem::path& folder, bool resume,
                                          const RunConfig& config,
                                          const ActivationCatalog& catalog);

}  // namespace polytrain
