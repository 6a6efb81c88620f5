#include "config/convert.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "config/nearest.hpp"
#include "core/error.hpp"

namespace polytrain::config {
namespace {

struct Describe {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const std::string& text) const { return "text " + json_quoted(text); }
    std::string operator()(const LocatedJson::Array&) const { return "a list"; }
    std::string operator()(const LocatedJson::Object&) const { return "an object"; }
    template <class Number>
    std::string operator()(Number value) const {
        return fmt::format("{}", value);
    }
};

std::string describe(const LocatedJson& found) {
    return std::visit(Describe(), found.value);
}

std::string_view wanted(KeyType type) {
    switch (type) {
        case KeyType::kInteger:
            return "an integer";
        case KeyType::kNumber:
            return "a number";
        case KeyType::kBoolean:
            return "true or false";
        case KeyType::kText:
            return "text";
        case KeyType::kTextMap:
            return "an object of texts";
        case KeyType::kSection:
            return "an object";
        case KeyType::kList:
            return "a list of objects";
    }
    PT_CHECK(false, "a key of no type");
}

std::optional<double> as_double(const LocatedJson& found) {
    if (const auto* value = std::get_if<int64_t>(&found.value)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<uint64_t>(&found.value)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<double>(&found.value)) return *value;
    return std::nullopt;
}

// The integer that was written, if one was; as a double when 64 bits don't hold it.
std::optional<LocatedJson::Value> as_integer(const LocatedJson& found) {
    const auto* real = std::get_if<double>(&found.value);
    if (real == nullptr) return as_double(found) ? std::optional(found.value) : std::nullopt;
    if (*real != std::trunc(*real)) return std::nullopt;
    if (*real >= -0x1p63 && *real < 0x1p63) return static_cast<int64_t>(*real);
    if (*real >= 0 && *real < 0x1p64) return static_cast<uint64_t>(*real);
    return *real;
}

// What is wrong with the size of a number; nothing if all is well.
std::string range_problem(const ConfigKey& key, double value, const LocatedJson& found) {
    if (!key.range.contains(value))
        return fmt::format("{} is out of range; wants {} {}", describe(found), wanted(key.type),
                           key.range.text());
    return {};
}

Converted convert_integer(const ConfigKey& key, const LocatedJson& found) {
    const std::optional<LocatedJson::Value> integer = as_integer(found);
    if (!integer) return {{}, wrong_type(key.type, found)};
    const std::string problem = range_problem(key, *as_double(found), found);
    if (!problem.empty()) return {{}, problem};
    if (const auto* value = std::get_if<int64_t>(&*integer)) return {*value, {}};
    if (const auto* value = std::get_if<uint64_t>(&*integer)) return {*value, {}};
    return {{}, describe(found) + " is too large"};
}

Converted convert_number(const ConfigKey& key, const LocatedJson& found) {
    const std::optional<double> number = as_double(found);
    if (!number) return {{}, wrong_type(key.type, found)};
    const std::string problem = range_problem(key, *number, found);
    if (!problem.empty()) return {{}, problem};
    return {*number, {}};
}

Converted convert_text(const ConfigKey& key, const LocatedJson& found) {
    const auto has = [](const std::vector<std::string>& words, const std::string& word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    const auto* text = std::get_if<std::string>(&found.value);
    if (text == nullptr) return {{}, wrong_type(key.type, found)};
    if (!key.choices.empty() && !has(key.choices, *text))
        return {{},
                fmt::format("{} is none of {}{}", json_quoted(*text), quoted_list(key.choices),
                            did_you_mean(nearest(*text, key.choices)))};
    if (text->empty() && !key.may_be_empty()) return {{}, "is empty"};
    return {*text, {}};
}

}  // namespace

std::string wrong_type(KeyType type, const LocatedJson& found) {
    return fmt::format("wants {}, found {}", wanted(type), describe(found));
}

Converted convert(const ConfigKey& key, const LocatedJson& found) {
    switch (key.type) {
        case KeyType::kInteger:
            return convert_integer(key, found);
        case KeyType::kNumber:
            return convert_number(key, found);
        case KeyType::kBoolean:
            if (const auto* value = std::get_if<bool>(&found.value)) return {*value, {}};
            return {{}, wrong_type(key.type, found)};
        case KeyType::kText:
            return convert_text(key, found);
        case KeyType::kTextMap:
        case KeyType::kSection:
        case KeyType::kList:
            break;
    }
    PT_CHECK(false, "{} holds more than one value", key.name);
}

}  // namespace polytrain::config
