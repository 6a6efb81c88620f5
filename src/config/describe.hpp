#pragma once
// The table of the config as people and editors read it.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/key.hpp"

namespace polytrain::config {

// A JSON Schema (draft 2020-12) of config files. It knows types, ranges, choices and names; that
// heads divide d_model and the like only a parse finds out.
nlohmann::ordered_json schema_of(const ConfigKey& table);

// The page of the docs: a heading and a table of keys for each section.
std::string markdown_of(const ConfigKey& table);

// A few lines on one key or section ("optimizer.lr", "model", "" for the whole). An unknown one
// throws Error(kUsage) with the nearest name.
std::string explain(const ConfigKey& table, const std::string& path);

}  // namespace polytrain::config
