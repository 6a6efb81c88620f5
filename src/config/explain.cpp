#include <algorithm>

#include "config/describe.hpp"
#include "config/nearest.hpp"
#include "core/error.hpp"

namespace polytrain::config {
namespace {

bool is_number(std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
}

[[noreturn]] void fail_unknown(const ConfigKey& table, const std::string& path) {
    const std::string last = path.substr(path.rfind('.') + 1);
    std::vector<std::string> paths, names, like;
    for (const auto& [other, key] : all_keys(table)) {
        paths.push_back(other);
        names.push_back(key->name);
    }
    const std::vector<std::string> near_names = nearest(last, names);
    for (size_t i = 0; i < paths.size(); ++i)
        if (std::find(near_names.begin(), near_names.end(), names[i]) != near_names.end())
            like.push_back(paths[i]);
    const std::vector<std::string> near_paths = nearest(path, paths);
    fail(ExitCode::kUsage, "no config key is called \"{}\"{}", path,
         did_you_mean(near_paths.empty() || !like.empty() ? like : near_paths));
}

// The key at a dotted path, in which a number may stand for an element of a list.
const ConfigKey& key_at(const ConfigKey& table, const std::string& path) {
    const ConfigKey* key = &table;
    for (size_t begin = 0; begin < path.size();) {
        const size_t end = std::min(path.find('.', begin), path.size());
        const std::string part = path.substr(begin, end - begin);
        if (key->type != KeyType::kList || !is_number(part)) key = key->find(part);
        if (key == nullptr) fail_unknown(table, path);
        begin = end + 1;
    }
    return *key;
}

// "integer, default 4"
std::string kind_of(const ConfigKey& key) {
    std::string text(key.type_text());
    if (const auto value = key.default_text()) text += ", default " + *value;
    if (key.required) text += ", required";
    return text;
}

std::string explain_keys(const ConfigKey& section) {
    size_t name_width = 0, kind_width = 0;
    for (const ConfigKey& key : section.keys) {
        name_width = std::max(name_width, key.name.size());
        kind_width = std::max(kind_width, kind_of(key).size());
    }
    std::string text;
    for (const ConfigKey& key : section.keys)
        text += fmt::format("  {:<{}}  {:<{}}  {}\n", key.name, name_width, kind_of(key),
                            kind_width, key.doc);
    return text;
}

}  // namespace

std::string explain(const ConfigKey& table, const std::string& path) {
    const ConfigKey& key = key_at(table, path);
    std::string text = path.empty() ? "" : fmt::format("{}: {}\n", path, kind_of(key));
    text += fmt::format("  {}\n", key.doc);
    if (const std::string allowed = key.allowed_text(); !allowed.empty())
        text += fmt::format("  allowed: {}\n", allowed);
    if (!key.unit.empty()) text += fmt::format("  unit: {}\n", key.unit);
    if (!key.keys.empty()) text += "\n" + explain_keys(key);
    return text;
}

}  // namespace polytrain::config
