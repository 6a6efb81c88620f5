// Schema, docs page and `config explain`.

#include <nlohmann/json.hpp>

#include "config/support.hpp"
#include "config/tables.hpp"
#include "kernels/reference/register.hpp"

namespace polytrain {
namespace {

using Catch::Matchers::Contains;
using Json = nlohmann::ordered_json;
using testing::small_catalog;

// Calls visit(path, schema) for each property, the elements of lists included.
template <class F>
void for_each_property(const Json& schema, const std::string& prefix, F&& visit) {
    const Json& object = schema.contains("items") ? schema["items"] : schema;
    if (!object.contains("properties")) return;
    for (const auto& [name, property] : object["properties"].items()) {
        visit(prefix + name, property);
        for_each_property(property, prefix + name + ".", visit);
    }
}

// A check of the few words that the schema uses.
bool is_valid(const Json& schema, const Json& value) {
    const std::string type = schema["type"];
    if (type == "integer" || type == "number") {
        if (!value.is_number() || (type == "integer" && !value.is_number_integer())) return false;
        const double number = value;
        return number >= schema.value("minimum", -INFINITY) &&
               number <= schema.value("maximum", INFINITY) &&
               number > schema.value("exclusiveMinimum", -INFINITY) &&
               number < schema.value("exclusiveMaximum", INFINITY);
    }
    if (type == "boolean") return value.is_boolean();
    if (type == "string")
        return value.is_string() &&
               (!schema.contains("enum") || std::find(schema["enum"].begin(), schema["enum"].end(),
                                                      value) != schema["enum"].end());
    if (type == "array")
        return value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& item) {
                   return is_valid(schema["items"], item);
               });
    if (!value.is_object()) return false;
    for (const Json& name : schema.value("required", Json::array()))
        if (!value.contains(name.get<std::string>())) return false;
    for (const auto& [name, member] : value.items()) {
        const bool known = schema.contains("properties") && schema["properties"].contains(name);
        const Json& inner = known ? schema["properties"][name] : schema["additionalProperties"];
        if (inner.is_boolean() || !is_valid(inner, member)) return false;
    }
    return true;
}

TEST_CASE("the schema says all of each key, and admits no others") {
    const Json schema = Json::parse(config_schema(small_catalog()));
    CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
    CHECK(schema["additionalProperties"] == false);
    size_t keys = 0;
    for_each_property(schema, "", [&](const std::string& path, const Json& property) {
        INFO(path);
        ++keys;
        CHECK(property["description"].get<std::string>().size() > 5);
        CHECK(property.contains("type"));
        if (property.contains("default")) CHECK(is_valid(property, property["default"]));
        if (property.contains("properties")) CHECK(property["additionalProperties"] == false);
    });
    CHECK(keys == config::all_keys(config::config_table(small_catalog())).size());
    const Json& model = schema["properties"]["model"]["properties"];
    CHECK(model["heads"] == Json::parse(R"({"description":
        "Attention heads; they divide d_model into even head widths.",
        "type": "integer", "minimum": 1, "maximum": 1048576, "default": 4})"));
    CHECK(model["norm_eps"]["minimum"] == 1e-30);
    CHECK(model["qk_norm"]["enum"] == Json{"none", "full", "head"});
    CHECK(model["moe"]["properties"]["scope"]["enum"] == Json{"micro", "micro_dp", "global"});
    CHECK(model["feed_forward"]["properties"]["activation"]["enum"] ==
          Json(small_catalog().names()));
    const Json& train = schema["properties"]["data"]["properties"]["train"];
    CHECK(train["items"]["required"] == Json{"path"});
    CHECK(train["items"]["additionalProperties"] == false);
    CHECK(train["default"] == Json::array());
}

TEST_CASE("what is emitted is valid by the schema, and mistakes are not") {
    const Json schema = Json::parse(config_schema(small_catalog()));
    Json config = Json::parse(emit_config(testing::parse(testing::kMinimal), small_catalog()));
    CHECK(is_valid(schema, config));
    const auto breaks = [&](const char* pointer, const Json& value) {
        Json changed = config;
        changed[Json::json_pointer(pointer)] = value;
        return !is_valid(schema, changed);
    };
    CHECK(breaks("/model/heads", 0));
    CHECK(breaks("/model/moe/experts", -1));
    CHECK(breaks("/parallel/sharding", 3));
    CHECK(breaks("/device", "gpu"));
    CHECK(breaks("/optimizer/beta1", 1.0));
    CHECK(breaks("/data/train/0/weight", 0.0));
    CHECK(breaks("/data/train/0", Json::object()));
}

TEST_CASE("defaults are those of the structs") {
    const ModelConfig model;
    CHECK_THAT(explain_key("model.d_model", small_catalog()),
               Contains("default " + std::to_string(model.d_model)));
    CHECK_THAT(explain_key("optimizer.schedule.kind", small_catalog()),
               Contains("default \"" + ScheduleConfig().kind + "\""));
}

TEST_CASE("explain tells type, default, range, unit and meaning") {
    CHECK(explain_key("train.micro_batch", small_catalog()) ==
          "train.micro_batch: integer, default 0\n"
          "  Sequences per forward and backward, a divisor of batch; 0: batch.\n"
          "  allowed: 0 to 1073741824\n"
          "  unit: sequences\n");
    CHECK(explain_key("device", small_catalog()) ==
          "device: text, default \"auto\"\n"
          "  Where tensors live; auto is cuda where there is a device (of several, that of the "
          "rank's number on its machine), else the CPU.\n"
          "  allowed: \"auto\", \"cpu\", \"cuda\"\n");
    CHECK_THAT(explain_key("parallel.sharding", small_catalog()), Contains("allowed: 0 to 2\n"));
    CHECK_THAT(
        explain_key("optimizer.schedule", small_catalog()),
        Contains("optimizer.schedule: object\n"
                 "  The learning rate over steps: warm-up to lr, then down to final_ratio * lr. A "
                 "length in tokens makes as many steps as hold them.\n"
                 "\n"
                 "  kind           text, default \"cosine\"  How it goes down; ") &&
            Contains("\n  warmup_steps   integer, default 0      Length of the warm-up, which is "
                     "linear.\n"
                     "  warmup_tokens  integer, default 0      The same in tokens.\n"));
    CHECK(explain_key("data.train.path", small_catalog()) ==
          "data.train.path: text, required\n"
          "  A token file of any format that docs/data.md lists.\n");
    CHECK_THAT(explain_key("data.train.3.path", small_catalog()), Contains("token file"));
    CHECK_THAT(explain_key("model.moe", small_catalog()), Contains("experts "));
    CHECK_THAT(explain_key("", small_catalog()), Contains("optimizer  object"));
}

TEST_CASE("explain knows every key of the table") {
    const config::ConfigKey table = config::config_table(small_catalog());
    for (const auto& [path, key] : config::all_keys(table))
        CHECK_THAT(explain_key(path, small_catalog()), Contains(key->doc));
}

TEST_CASE("explain of an unknown key is a mistake of usage that names the nearest") {
    const auto unknown = [](const std::string& key) {
        return testing::failure(ExitCode::kUsage, [&] { explain_key(key, small_catalog()); });
    };
    CHECK(unknown("heads") == "no config key is called \"heads\"; did you mean \"model.heads\"?");
    CHECK(unknown("model.haeds") ==
          "no config key is called \"model.haeds\"; did you mean \"model.heads\"?");
    CHECK(unknown("optimzer.lr") ==
          "no config key is called \"optimzer.lr\"; did you mean \"optimizer.lr\"?");
    CHECK(unknown("model.1") == "no config key is called \"model.1\"; did you mean \"model\"?");
    CHECK(unknown("xyzzy") == "no config key is called \"xyzzy\"");
}

TEST_CASE("the docs page has a row for every key") {
    const std::string page = config_markdown(small_catalog());
    const config::ConfigKey table = config::config_table(small_catalog());
    for (const auto& [path, key] : config::all_keys(table)) {
        if (key->keys.empty())
            CHECK_THAT(page, Contains("\n| `" + key->name + "` | "));
        else
            CHECK_THAT(page, Contains("\n## " + path + "\n"));
        CHECK_THAT(page, Contains(key->doc));
    }
    CHECK_THAT(page, Contains("| `lr` | number | `0.001` | 0 to 1000 | Peak learning rate. |\n"));
    CHECK_THAT(page, Contains("| `path` | text | required |  | A token file of any"));
}

// To write it again: polytrain config schema --markdown > docs/config.md
TEST_CASE("docs/config.md is up to date") {
    OpTable ops;
    reference::register_activation(ops);
    CHECK(read_file(POLYTRAIN_SOURCE_DIR "/docs/config.md") == config_markdown(ops.activations()));
}

}  // namespace
}  // namespace polytrain
