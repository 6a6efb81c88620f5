#pragma once

#include "config/located_json.hpp"
#include "config/problems.hpp"
#include "config/run_config.hpp"
#include "ops/activation.hpp"

namespace polytrain::config {

// Checks what no key can check alone, and fills in what was left to follow from other keys:
// micro_batch, kv_heads, gated, hidden and vocab_size. `tree` is where the config was read from.
// Data to train on, and an end of it, must be there only where it `trains`.
void resolve(RunConfig& config, const LocatedJson& tree, const ActivationCatalog& catalog,
             bool trains, Problems& problems);

}  // namespace polytrain::config
