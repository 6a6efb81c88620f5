#include "config/key.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/nearest.hpp"
#include "core/error.hpp"

namespace polytrain::config {

std::string Range::text() const {
    if (std::isfinite(min) && std::isfinite(max) && !min_excluded && !max_excluded)
        return min == max ? fmt::format("{}", min) : fmt::format("{} to {}", min, max);
    std::string text;
    if (std::isfinite(min)) text = fmt::format("{} {}", min_excluded ? ">" : ">=", min);
    if (std::isfinite(max))
        text += fmt::format("{}{} {}", text.empty() ? "" : " and ", max_excluded ? "<" : "<=", max);
    return text;
}

const ConfigKey* ConfigKey::find(std::string_view key_name) const {
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&](const ConfigKey& key) { return key.name == key_name; });
    return found == keys.end() ? nullptr : &*found;
}

std::string_view ConfigKey::type_text() const {
    switch (type) {
        case KeyType::kInteger:
            return "integer";
        case KeyType::kNumber:
            return "number";
        case KeyType::kBoolean:
            return "true or false";
        case KeyType::kText:
            return "text";
        case KeyType::kTextMap:
            return "object of texts";
        case KeyType::kSection:
            return "object";
        case KeyType::kList:
            return "list of objects";
    }
    PT_CHECK(false, "key {} of no type", name);
}

std::string ConfigKey::allowed_text() const {
    return choices.empty() ? range.text() : quoted_list(choices);
}

std::optional<std::string> ConfigKey::default_text() const {
    if (type == KeyType::kList) return "[]";
    if (!default_value || required) return std::nullopt;
    return to_json(*default_value).dump();
}

bool ConfigKey::may_be_empty() const {
    return default_text() == to_json(std::string()).dump();
}

std::vector<KeyAtPath> all_keys(const ConfigKey& section, const std::string& prefix) {
    std::vector<KeyAtPath> all;
    for (const ConfigKey& key : section.keys) {
        all.push_back({prefix + key.name, &key});
        const std::vector<KeyAtPath> below = all_keys(key, prefix + key.name + ".");
        all.insert(all.end(), below.begin(), below.end());
    }
    return all;
}

nlohmann::ordered_json to_json(const KeyValue& value) {
    return std::visit([](const auto& held) { return nlohmann::ordered_json(held); }, value);
}

}  // namespace polytrain::config
