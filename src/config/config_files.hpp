#pragma once
// From files and the command line to one JSON tree, each of its leaves knowing who set it.

#include <filesystem>
#include <string>

#include "config/located_json.hpp"

namespace polytrain::config {

// The tree of a config file, laid upon the one that its "extends" names (relative to the file
// itself), and so on: objects merge, all else is replaced. The file is missing: exit 66; a base is
// missing or extends in a circle: exit 78, at the "extends" value.
LocatedJson read_config_tree(const std::filesystem::path& path);

// Applies `--set override`, override = "a.b=c": c is JSON where it parses, else text. Numbers step
// into lists ("data.train.0.path"), the list's length appends. Malformed: exit 2.
void apply_override(LocatedJson& tree, const std::string& override);

}  // namespace polytrain::config
