#include "config/emit.hpp"

#include <nlohmann/json.hpp>

namespace polytrain::config {
namespace {

nlohmann::ordered_json emit_section(const ConfigKey& section, const RunConfig& config,
                                    size_t index);

nlohmann::ordered_json emit_list(const ConfigKey& list, const RunConfig& config) {
    auto items = nlohmann::ordered_json::array();
    const auto length = static_cast<size_t>(std::get<int64_t>(list.get(config, 0)));
    for (size_t i = 0; i < length; ++i) items.push_back(emit_section(list, config, i));
    return items;
}

nlohmann::ordered_json emit_section(const ConfigKey& section, const RunConfig& config,
                                    size_t index) {
    auto object = nlohmann::ordered_json::object();
    for (const ConfigKey& key : section.keys) {
        if (key.type == KeyType::kSection)
            object[key.name] = emit_section(key, config, index);
        else if (key.type == KeyType::kList)
            object[key.name] = emit_list(key, config);
        else if (key.get)
            object[key.name] = to_json(key.get(config, index));
    }
    return object;
}

}  // namespace

nlohmann::ordered_json emit(const ConfigKey& table, const RunConfig& config) {
    return emit_section(table, config, 0);
}

}  // namespace polytrain::config
