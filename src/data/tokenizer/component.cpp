#include "data/tokenizer/component.hpp"

#include <algorithm>

namespace polytrain {

using nlohmann::json;

namespace {

[[noreturn]] void wrong_type(const std::string& where, const json& found, const char* expected) {
    const bool has_value = !found.is_structured() && !found.is_null();
    fail(ExitCode::kBadConfig, "{}: is {}{}{}, not {}", where, found.type_name(),
         has_value ? " " : "",
         has_value ? found.dump(-1, ' ', false, json::error_handler_t::replace) : "", expected);
}

}  // namespace

Component::Component(const json& value, std::string where)
    : value_(value), where_(std::move(where)) {
    if (!value_.is_object()) wrong_type(where_, value_, "an object");
}

bool Component::has(const char* key) const {
    const auto found = value_.find(key);
    return found != value_.end() && !found->is_null();
}

std::string Component::text(const char* key) const {
    if (!has(key)) fail(ExitCode::kBadConfig, "{}: has no \"{}\"", where_, key);
    const json& found = value_.at(key);
    if (!found.is_string()) wrong_type(where_ + "." + key, found, "a string");
    return found.get<std::string>();
}

bool Component::boolean(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    const json& found = value_.at(key);
    if (!found.is_boolean()) wrong_type(where_ + "." + key, found, "true or false");
    return found.get<bool>();
}

int64_t Component::integer(const char* key) const {
    if (!has(key)) fail(ExitCode::kBadConfig, "{}: has no \"{}\"", where_, key);
    const json& found = value_.at(key);
    if (!found.is_number_integer() ||
        (found.is_number_unsigned() && found.get<uint64_t>() > uint64_t{INT64_MAX}))
        wrong_type(where_ + "." + key, found, "an integer");
    return found.get<int64_t>();
}

Component Component::object(const char* key) const {
    if (!has(key)) fail(ExitCode::kBadConfig, "{}: has no \"{}\"", where_, key);
    return {value_.at(key), where_ + "." + key};
}

std::vector<Component> Component::list(const char* key) const {
    if (!has(key)) fail(ExitCode::kBadConfig, "{}: has no \"{}\"", where_, key);
    const json& found = value_.at(key);
    if (!found.is_array()) wrong_type(where_ + "." + key, found, "an array");
    std::vector<Component> components;
    for (size_t i = 0; i < found.size(); ++i)
        components.emplace_back(found[i], fmt::format("{}.{}[{}]", where_, key, i));
    return components;
}

void Component::only(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : value_.items())
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
            fail(ExitCode::kBadConfig, "{}: \"{}\" is not supported", where_, key);
}

void Component::unsupported(std::string_view key, std::string_view supported) const {
    const auto found = value_.find(std::string(key));
    fail(ExitCode::kBadConfig, "{}: {} {} is not supported; supported: {}", where_, key,
         found == value_.end() ? "(missing)"
                               : found->dump(-1, ' ', false, json::error_handler_t::replace),
         supported);
}

}  // namespace polytrain
