#include "config/load.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/config_files.hpp"
#include "config/describe.hpp"
#include "config/emit.hpp"
#include "config/problems.hpp"
#include "config/read.hpp"
#include "config/resolve.hpp"
#include "config/shrink.hpp"
#include "config/tables.hpp"
#include "core/error.hpp"

namespace polytrain {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndent = 4;

RunConfig read_resolved(const config::LocatedJson& tree, const ActivationCatalog& catalog,
                        ConfigUse use) {
    config::Problems problems;
    RunConfig run = config::read_config(config::config_table(catalog), tree, problems);
    problems.throw_if_any();
    config::resolve(run, tree, catalog, use == ConfigUse::kTrain, problems);
    problems.throw_if_any();
    return run;
}

RunConfig with_overrides(config::LocatedJson tree, const std::vector<std::string>& overrides,
                         const ActivationCatalog& catalog) {
    for (const std::string& text : overrides) config::apply_override(tree, text);
    return read_resolved(tree, catalog, ConfigUse::kTrain);
}

// Null pointers stand for what only one of the two has.
void find_differences(const Json* a, const Json* b, const std::string& path,
                      std::vector<std::string>& lines) {
    const auto text = [](const Json* value) { return value ? value->dump() : "(none)"; };
    const auto child = [](const Json* parent, const std::string& name) -> const Json* {
        return parent->contains(name) ? &parent->at(name) : nullptr;
    };
    if (a == nullptr || b == nullptr || a->type() != b->type() || !a->is_structured()) {
        if (text(a) != text(b)) lines.push_back(path + ": " + text(a) + " -> " + text(b));
        return;
    }
    const std::string prefix = path.empty() ? "" : path + ".";
    if (a->is_array()) {
        for (size_t i = 0; i < std::max(a->size(), b->size()); ++i)
            find_differences(i < a->size() ? &(*a)[i] : nullptr, i < b->size() ? &(*b)[i] : nullptr,
                             prefix + std::to_string(i), lines);
        return;
    }
    for (const auto& [name, value] : a->items())
        find_differences(&value, child(b, name), prefix + name, lines);
    for (const auto& [name, value] : b->items())
        if (child(a, name) == nullptr) find_differences(nullptr, &value, prefix + name, lines);
}

}  // namespace

RunConfig load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                      const ActivationCatalog& catalog) {
    return with_overrides(config::read_config_tree(path), overrides, catalog);
}

RunConfig load_shrunk_config(const std::filesystem::path& path,
                             const std::vector<std::string>& overrides,
                             const ActivationCatalog& catalog, int ranks) {
    const std::string text = emit_config(shrunk(load_config(path, {}, catalog), ranks), catalog);
    return with_overrides(config::parse_located_json(text, path.string() + ", shrunk"), overrides,
                          catalog);
}

RunConfig parse_config_text(const std::string& text, const std::string& name,
                            const ActivationCatalog& catalog, ConfigUse use) {
    const config::LocatedJson tree = config::parse_located_json(text, name);
    if (tree.object() == nullptr)
        fail(ExitCode::kBadConfig, "{}: a config is a JSON object, {{ ... }}", tree.place.text());
    return read_resolved(tree, catalog, use);
}

std::string emit_config(const RunConfig& run, const ActivationCatalog& catalog) {
    return config::emit(config::config_table(catalog), run).dump(kIndent) + "\n";
}

std::vector<std::string> config_differences(const RunConfig& a, const RunConfig& b,
                                            const ActivationCatalog& catalog) {
    const config::ConfigKey table = config::config_table(catalog);
    const Json json_a = config::emit(table, a), json_b = config::emit(table, b);
    std::vector<std::string> lines;
    find_differences(&json_a, &json_b, "", lines);
    return lines;
}

std::string config_schema(const ActivationCatalog& catalog) {
    return config::schema_of(config::config_table(catalog)).dump(kIndent) + "\n";
}

std::string config_markdown(const ActivationCatalog& catalog) {
    return config::markdown_of(config::config_table(catalog));
}

std::string explain_key(const std::string& key, const ActivationCatalog& catalog) {
    return config::explain(config::config_table(catalog), key);
}

}  // namespace polytrain
