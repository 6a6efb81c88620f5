#pragma once

#include "config/located_json.hpp"
#include "config/problems.hpp"
#include "config/run_config.hpp"
#include "ops/activation.hpp"

namespace polytrain::config {

// Checks what no key can check alone, and fills in what was left to follow from other keys:
// micro_batch, kv_heads, gated, hidden and vocab_size. `tree` is where the config was read from.
void resolve(RunConfig& config, const LocatedJson& tree, const ActivationCatalog& catalog,
             Problems& problems);

}  // namespace polytrain::config
