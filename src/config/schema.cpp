#include <cmath>
#include <nlohmann/json.hpp>

#include "config/describe.hpp"
#include "core/error.hpp"

namespace polytrain::config {
namespace {

using Json = nlohmann::ordered_json;

Json key_schema(const ConfigKey& key);

Json object_schema(const ConfigKey& section) {
    Json properties = Json::object(), required = Json::array();
    Json schema{{"type", "object"}};
    for (const ConfigKey& key : section.keys) {
        properties[key.name] = key_schema(key);
        if (key.required) required.push_back(key.name);
    }
    schema["properties"] = properties;
    if (!required.empty()) schema["required"] = required;
    schema["additionalProperties"] = false;
    return schema;
}

Json number_schema(const ConfigKey& key) {
    const bool integer = key.type == KeyType::kInteger;
    const auto bound = [&](double value) {
        return integer ? Json(static_cast<int64_t>(value)) : Json(value);
    };
    Json schema{{"type", integer ? "integer" : "number"}};
    if (std::isfinite(key.range.min))
        schema[key.range.min_excluded ? "exclusiveMinimum" : "minimum"] = bound(key.range.min);
    if (std::isfinite(key.range.max))
        schema[key.range.max_excluded ? "exclusiveMaximum" : "maximum"] = bound(key.range.max);
    return schema;
}

Json text_schema(const ConfigKey& key) {
    Json schema{{"type", "string"}};
    if (!key.choices.empty())
        schema["enum"] = key.choices;
    else if (!key.may_be_empty())
        schema["minLength"] = 1;
    return schema;
}

Json type_schema(const ConfigKey& key) {
    switch (key.type) {
        case KeyType::kInteger:
        case KeyType::kNumber:
            return number_schema(key);
        case KeyType::kBoolean:
            return {{"type", "boolean"}};
        case KeyType::kText:
            return text_schema(key);
        case KeyType::kTextMap:
            return {{"type", "object"},
                    {"propertyNames", {{"minLength", 1}}},
                    {"additionalProperties", {{"type", "string"}, {"minLength", 1}}}};
        case KeyType::kSection:
            return object_schema(key);
        case KeyType::kList:
            return {{"type", "array"}, {"items", object_schema(key)}};
    }
    PT_CHECK(false, "{} has no schema", key.name);
}

Json key_schema(const ConfigKey& key) {
    Json schema{{"description", key.unit.empty() ? key.doc : key.doc + " Unit: " + key.unit + "."}};
    schema.update(type_schema(key));
    if (const auto text = key.default_text()) schema["default"] = Json::parse(*text);
    return schema;
}

}  // namespace

Json schema_of(const ConfigKey& table) {
    Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                {"title", "PolyTrain run"},
                {"description", table.doc}};
    schema.update(object_schema(table));
    return schema;
}

}  // namespace polytrain::config
