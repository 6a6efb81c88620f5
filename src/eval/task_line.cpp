#include "eval/task_line.hpp"

#include <algorithm>
#include <charconv>

#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr int kMostDepth = 16;

// "3" to "C" and back: tasks' labels are one or the other.
std::string other_label(const std::string& label) {
    if (label.size() != 1) return label;
    if (label[0] >= '1' && label[0] <= '9') return {static_cast<char>('A' + (label[0] - '1'))};
    if (label[0] >= 'A' && label[0] <= 'I') return {static_cast<char>('1' + (label[0] - 'A'))};
    return label;
}

}  // namespace

TaskLine::TaskLine(std::string_view text, std::string where)
    : where_(std::move(where)), object_(parse_strict_json(text, where_, kMostDepth)) {
    if (!object_.is_object()) refuse("wants a JSON object, found {}", object_.type_name());
}

const json* TaskLine::find(std::string_view path) const {
    const json* value = &object_;
    while (value != nullptr && !path.empty()) {
        const size_t dot = std::min(path.find('.'), path.size());
        const auto found =
            value->is_object() ? value->find(std::string(path.substr(0, dot))) : value->end();
        value = found == value->end() ? nullptr : &*found;
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return value;
}

const json& TaskLine::at(std::string_view path) const {
    if (const json* value = find(path)) return *value;
    std::string keys;
    for (const auto& [key, value] : object_.items())
        keys += fmt::format("{}\"{}\"", keys.empty() ? "" : ", ", key);
    refuse("has no \"{}\"; its keys are {}", path, keys.empty() ? "none" : keys);
}

const std::string& TaskLine::text(std::string_view path) const {
    const json& value = at(path);
    if (!value.is_string()) refuse("\"{}\" wants a text, found {}", path, value.type_name());
    return value.get_ref<const std::string&>();
}

std::vector<std::string> TaskLine::texts(std::string_view path) const {
    const json& value = at(path);
    const auto is_text = [](const json& item) { return item.is_string(); };
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_text))
        refuse("\"{}\" wants an array of texts, found {}", path,
               value.is_array() ? "others in it" : value.type_name());
    return value.get<std::vector<std::string>>();
}

int64_t TaskLine::whole(std::string_view path) const {
    const json& value = at(path);
    if (value.is_number_integer()) return value.get<int64_t>();
    if (value.is_string()) {
        const auto& digits = value.get_ref<const std::string&>();
        const char* end = digits.data() + digits.size();
        int64_t number = 0;
        const auto [stop, error] = std::from_chars(digits.data(), end, number);
        if (error == std::errc() && stop == end) return number;
    }
    refuse("\"{}\" wants a whole number, found {}", path, value.dump());
}

bool TaskLine::truth(std::string_view path) const {
    const json& value = at(path);
    if (!value.is_boolean()) refuse("\"{}\" wants true or false, found {}", path, value.dump());
    return value.get<bool>();
}

int64_t TaskLine::labelled(std::string_view path, std::string_view labels) const {
    const std::string& label = text(path);
    const std::vector<std::string> all = texts(labels);
    auto found = std::find(all.begin(), all.end(), label);
    if (found == all.end()) found = std::find(all.begin(), all.end(), other_label(label));
    if (found == all.end()) refuse("\"{}\", \"{}\", is none of \"{}\"", path, label, labels);
    return found - all.begin();
}

std::string TaskLine::id(std::initializer_list<std::string_view> keys) const {
    for (const std::string_view key : keys)
        if (const json* value = find(key); value != nullptr && !value->is_null())
            return value->is_string() ? value->get<std::string>() : value->dump();
    return {};
}

}  // namespace polytrain
