#pragma once

#include "config/key.hpp"
#include "config/located_json.hpp"
#include "config/problems.hpp"

namespace polytrain::config {

// Fills a RunConfig from a tree by the table; what the tree doesn't say keeps its default. Every
// key that the table doesn't have, and every value it doesn't allow, goes to `problems`.
RunConfig read_config(const ConfigKey& table, const LocatedJson& tree, Problems& problems);

}  // namespace polytrain::config
