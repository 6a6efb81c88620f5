#pragma once

#include <optional>
#include <string>

#include "config/key.hpp"
#include "config/located_json.hpp"

namespace polytrain::config {

// A value as its key wants it, or what is wrong with it.
struct Converted {
    std::optional<KeyValue> value;
    std::string problem;
};

// Checks a value against its key's type, range and choices. For keys of a single value; an integer
// may be written 1000, 1e3 or 1000.0.
Converted convert(const ConfigKey& key, const LocatedJson& found);

// `wants a list of objects, found text "x"`
std::string wrong_type(KeyType type, const LocatedJson& found);

}  // namespace polytrain::config
