#pragma once
// ConfigKey: all there is to know of one key of a config. The tables of these (config/tables.hpp)
// are the single source of parsing, schema, docs, `config explain`, emission and error messages.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/run_config.hpp"

namespace polytrain::config {

enum class KeyType {
    kInteger,
    kNumber,
    kBoolean,
    kText,     // one of `choices` when there are any
    kTextMap,  // an object of texts under names of the user's own
    kSection,  // an object of `keys`
    kList,     // an array of objects of `keys`
};

// What a key holds, in the type of the struct's member. A list's is its length.
using TextMap = std::map<std::string, std::string>;
using KeyValue = std::variant<bool, int64_t, uint64_t, double, std::string, TextMap>;

struct Range {
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
    bool min_excluded = false, max_excluded = false;

    bool contains(double value) const {
        return (min_excluded ? value > min : value >= min) &&
               (max_excluded ? value < max : value <= max);
    }
    std::string text() const;  // ">= 1", "1 to 8", ">= 0 and < 1"
};

constexpr Range at_least(double min) {
    return {.min = min};
}
constexpr Range above(double min) {
    return {.min = min, .min_excluded = true};
}
constexpr Range between(double min, double max) {
    return {.min = min, .max = max};
}
constexpr Range from_up_to_below(double min, double max) {
    return {.min = min, .max = max, .max_excluded = true};
}

struct ConfigKey {
    std::string name;
    KeyType type = KeyType::kSection;
    std::string doc;
    std::string unit = {};
    Range range = {};
    std::vector<std::string> choices = {};
    bool required = false;
    std::optional<KeyValue> default_value = {};  // as the default-constructed struct has it
    std::vector<ConfigKey> keys = {};

    // Its value in a RunConfig; `index` picks the element of the list that the key is in. Sections
    // have neither; nor has a key that is a word to the reader of the file ("extends").
    std::function<KeyValue(const RunConfig&, size_t index)> get = {};
    // False if the member's type is too small for the value.
    std::function<bool(RunConfig&, size_t index, const KeyValue&)> set = {};

    const ConfigKey* find(std::string_view key_name) const;
    // "integer", "text", "list of objects"
    std::string_view type_text() const;
    // What may be given, as far as the type doesn't say it: ">= 1", "\"a\", \"b\"", or nothing.
    std::string allowed_text() const;
    // As JSON; nothing where there is no default.
    std::optional<std::string> default_text() const;
    // Of a text: only where that is the default.
    bool may_be_empty() const;
};

// A key and its dotted path ("data.train.path": a list's name stands for its elements).
struct KeyAtPath {
    std::string path;
    const ConfigKey* key;
};

// Every key below `section`, each section before its keys.
std::vector<KeyAtPath> all_keys(const ConfigKey& section, const std::string& prefix = {});

nlohmann::ordered_json to_json(const KeyValue& value);

}  // namespace polytrain::config
