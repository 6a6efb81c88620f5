#pragma once
// What keys a config has. Each function is one table; a change to the config is a line in one.

#include "config/key.hpp"
#include "ops/activation.hpp"

namespace polytrain::config {

// The whole config, as the section that all others are in.
ConfigKey config_table(const ActivationCatalog& catalog);

ConfigKey model_table(const ActivationCatalog& catalog);
ConfigKey train_table();
ConfigKey eval_table();
ConfigKey optimizer_table();

}  // namespace polytrain::config
