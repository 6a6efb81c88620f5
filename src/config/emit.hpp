#pragma once

#include <nlohmann/json_fwd.hpp>

#include "config/key.hpp"

namespace polytrain::config {

// The config as JSON: every key that has a value, in the order of the table.
nlohmann::ordered_json emit(const ConfigKey& table, const RunConfig& config);

}  // namespace polytrain::config
