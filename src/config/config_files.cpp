#include "config/config_files.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"

namespace polytrain::config {
namespace {

std::string read_limited(const std::filesystem::path& path) {
    try {
        return read_file(path, kMaxConfigBytes);
    } catch (const Error& error) {
        if (error.code() != ExitCode::kCorrupt) throw;
        throw Error(ExitCode::kBadConfig, error.what());  // it is too large
    }
}

LocatedJson read_one(const std::filesystem::path& path) {
    LocatedJson tree = parse_located_json(read_limited(path), path.string());
    if (tree.object() == nullptr)
        fail(ExitCode::kBadConfig, "{}: a config is a JSON object, {{ ... }}", tree.place.text());
    return tree;
}

// Removes "extends" from a file's tree and gives its value.
std::optional<LocatedJson> take_extends(LocatedJson& tree) {
    auto& members = std::get<LocatedJson::Object>(tree.value);
    const auto found = std::find_if(members.begin(), members.end(), [](const JsonMember& member) {
        return member.name == "extends";
    });
    if (found == members.end()) return std::nullopt;
    LocatedJson value = std::move(found->value);
    members.erase(found);
    if (!std::holds_alternative<std::string>(value.value))
        fail(ExitCode::kBadConfig, "{}: extends: wants the path of a config, as text",
             value.place.text());
    return value;
}

// Lays `over` upon `base`.
void merge_onto(LocatedJson& base, LocatedJson over) {
    if (base.object() == nullptr || over.object() == nullptr) {
        base = std::move(over);
        return;
    }
    base.place = over.place;
    for (JsonMember& member : std::get<LocatedJson::Object>(over.value)) {
        auto& members = std::get<LocatedJson::Object>(base.value);
        const auto same =
            std::find_if(members.begin(), members.end(),
                         [&](const JsonMember& other) { return other.name == member.name; });
        if (same == members.end()) {
            members.push_back(std::move(member));
        } else {
            same->place = member.place;
            merge_onto(same->value, std::move(member.value));
        }
    }
}

// `files` are those that led to `next`, each extended by the one before it.
void check_no_circle(const std::vector<std::filesystem::path>& files,
                     const std::filesystem::path& next, const Place& place) {
    std::string circle;
    bool closes = false;
    for (const std::filesystem::path& file : files) {
        std::error_code missing;
        closes = closes || std::filesystem::equivalent(file, next, missing);
        circle += file.string() + " -> ";
    }
    if (closes)
        fail(ExitCode::kBadConfig, "{}: extends: goes in a circle: {}{}", place.text(), circle,
             next.string());
}

// `part` as a place in a list of `size`, of which the end is one.
std::optional<size_t> list_index(const std::string& part, size_t size) {
    size_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    if (error != std::errc() || end != part.data() + part.size() || index > size)
        return std::nullopt;
    return index;
}

// The child of `node` that `part` names, made if it isn't there: a node that is no container yet
// becomes one, a list if it was empty and the part is "0".
LocatedJson& step(LocatedJson& node, const std::string& part, const Place& place) {
    if (node.object() == nullptr && node.array() == nullptr) {
        const bool list = std::holds_alternative<std::nullptr_t>(node.value) && part == "0";
        node = {list ? LocatedJson::Value(LocatedJson::Array()) : LocatedJson::Object(), place};
    }
    if (auto* items = std::get_if<LocatedJson::Array>(&node.value)) {
        const std::optional<size_t> index = list_index(part, items->size());
        if (!index)
            fail(ExitCode::kUsage, "{}: \"{}\" should be a number from 0 to {}, this list's length",
                 place.text(), part, items->size());
        return *index == items->size() ? items->emplace_back() : (*items)[*index];
    }
    if (LocatedJson* member = node.find(part)) return *member;
    auto& members = std::get<LocatedJson::Object>(node.value);
    return members.emplace_back(JsonMember{part, place, {nullptr, place}}).value;
}

LocatedJson override_value(const std::string& text, const Place& place) {
    LocatedJson value;
    try {
        value = parse_located_json(text, place.source);
    } catch (const Error&) {
        value.value = text;
    }
    value.set_places(place);
    return value;
}

}  // namespace

LocatedJson read_config_tree(const std::filesystem::path& path) {
    std::vector<std::filesystem::path> files{path};
    std::vector<LocatedJson> layers{read_one(path)};
    while (const std::optional<LocatedJson> extends = take_extends(layers.back())) {
        const std::filesystem::path base =
            (files.back().parent_path() / std::get<std::string>(extends->value)).lexically_normal();
        check_no_circle(files, base, extends->place);
        try {
            layers.push_back(read_one(base));
        } catch (const Error& error) {
            if (error.code() == ExitCode::kBadConfig) throw;
            fail(ExitCode::kBadConfig, "{}: extends: {}", extends->place.text(), error.what());
        }
        files.push_back(base);
    }
    LocatedJson tree = std::move(layers.back());
    for (layers.pop_back(); !layers.empty(); layers.pop_back())
        merge_onto(tree, std::move(layers.back()));
    return tree;
}

void apply_override(LocatedJson& tree, const std::string& override) {
    const Place place{.source = "--set " + override};
    if (!is_utf8(override)) fail(ExitCode::kUsage, "{}: is not UTF-8", json_quoted(place.source));
    const size_t equals = override.find('=');
    if (equals == std::string::npos)
        fail(ExitCode::kUsage, "{}: has no '='; wants KEY=VALUE, as in --set optimizer.lr=0.001",
             place.text());
    LocatedJson* node = &tree;
    for (size_t begin = 0; begin <= equals;) {
        const size_t end = std::min(override.find('.', begin), equals);
        if (end == begin)
            fail(ExitCode::kUsage, "{}: a part of the key is empty; wants a.b=c", place.text());
        node = &step(*node, override.substr(begin, end - begin), place);
        begin = end + 1;
    }
    *node = override_value(override.substr(equals + 1), place);
}

}  // namespace polytrain::config
