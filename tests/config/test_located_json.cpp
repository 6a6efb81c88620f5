// Positions of keys and values, and what a broken text is told.

#include "config/located_json.hpp"

#include "config/support.hpp"

namespace polytrain::config {
namespace {

using testing::failure;

std::string json_failure(const std::string& text) {
    return failure(ExitCode::kBadConfig, [&] { parse_located_json(text, "f"); });
}

TEST_CASE("every key and value knows its line and column") {
    const LocatedJson tree = parse_located_json(
        "{\n"
        "  \"a\": {\"b\" : [1, -2.5,\n"
        "    \"x\\\"]y\" , {\"c\":null}]},\n"
        "\t\"d\":true,\"e\":{},\"f\":[],\"g\":7}\n",
        "run.json");
    const auto key = [](const LocatedJson& node, size_t i) {
        return (*node.object())[i].place.text();
    };
    CHECK(tree.place.text() == "run.json:1:1");
    CHECK(key(tree, 0) == "run.json:2:3");
    const LocatedJson& a = *tree.at("a");
    CHECK(a.place.text() == "run.json:2:8");
    CHECK(key(a, 0) == "run.json:2:9");
    const LocatedJson::Array& items = *tree.at("a.b")->array();
    CHECK(tree.at("a.b")->place.text() == "run.json:2:15");
    CHECK(items[0].place.text() == "run.json:2:16");
    CHECK(items[1].place.text() == "run.json:2:19");
    CHECK(items[2].place.text() == "run.json:3:5");
    CHECK(std::get<std::string>(items[2].value) == "x\"]y");
    CHECK(items[3].place.text() == "run.json:3:15");
    CHECK(key(items[3], 0) == "run.json:3:16");
    CHECK(items[3].find("c")->place.text() == "run.json:3:20");
    CHECK(key(tree, 1) == "run.json:4:2");
    CHECK(tree.at("d")->place.text() == "run.json:4:6");
    CHECK(tree.at("e")->place.text() == "run.json:4:15");
    CHECK(tree.at("f")->place.text() == "run.json:4:22");
    CHECK(tree.at("g")->place.text() == "run.json:4:29");
    CHECK(tree.at("a.nothing") == nullptr);
    CHECK(tree.at("g.nothing") == nullptr);
}

TEST_CASE("columns count characters, and a byte order mark is no character") {
    const LocatedJson tree = parse_located_json(
        "\xef\xbb\xbf{\"\xc3\xa9\xe2\x82\xac\": \"\xf0\x9f\x98\x80\", \"b\": 1}", "f");
    CHECK(tree.place.text() == "f:1:1");
    CHECK((*tree.object())[1].place.text() == "f:1:13");
}

TEST_CASE("numbers keep their type") {
    const LocatedJson tree = parse_located_json(
        "[9223372036854775807, 9223372036854775808, -9223372036854775808, 1e3, 1.0,"
        " 18446744073709551616, 0]",
        "f");
    const LocatedJson::Array& n = *tree.array();
    CHECK(std::get<int64_t>(n[0].value) == INT64_MAX);
    CHECK(std::get<uint64_t>(n[1].value) == uint64_t{1} << 63);
    CHECK(std::get<int64_t>(n[2].value) == INT64_MIN);
    CHECK(std::get<double>(n[3].value) == 1000.0);
    CHECK(std::get<double>(n[4].value) == 1.0);
    CHECK(std::get<double>(n[5].value) == 0x1p64);
    CHECK(std::get<int64_t>(n[6].value) == 0);
}

TEST_CASE("broken JSON is told where and why") {
    struct Case {
        const char* text;
        const char* message;
    };
    const auto [text, message] = GENERATE(values<Case>({
        {"", "f:1:1: not valid JSON: unexpected end of input"},
        {"  \n ", "f:2:2: not valid JSON: unexpected end of input"},
        {"{\"a\":\n [1, 2", "f:2:7: not valid JSON: unexpected end of input"},
        {"{\"a\": NaN}", "f:1:7: not valid JSON: invalid literal; JSON has no NaN"},
        {"{\"a\": -Infinity}", "f:1:7: not valid JSON: invalid number"},
        {"{\"a\": Infinity}", "f:1:7: not valid JSON: invalid literal; JSON has no infinity"},
        {"{\"a\": True}", "f:1:7: not valid JSON: invalid literal; JSON writes true"},
        {"{\"a\":\n 1e999}", "f:2:2: not valid JSON: number overflow parsing '1e999'"},
        {"{'a': 1}", "f:1:2: not valid JSON: invalid literal"},
        {"{\"a\": 1} // done", "f:1:10: not valid JSON: invalid literal"},
        {"{\"a\": 1,\n}", "f:2:1: not valid JSON: unexpected '}'"},
        {"{\"a\": [1,]}", "f:1:10: not valid JSON: unexpected ']'"},
        {"{\"a\": 1,, \"b\": 2}", "f:1:9: not valid JSON: unexpected ','"},
        {"{\"a\" \"b\"}", "f:1:6: not valid JSON: unexpected string literal; expected ':'"},
        {"{\"a\": 1 \"b\": 2}", "f:1:9: not valid JSON: unexpected string literal"},
        {"{\"a\": 01}", "f:1:8: not valid JSON: unexpected number literal"},
        {"{\"a\": tru}", "f:1:7: not valid JSON: invalid literal"},
        {"{1: 2}", "f:1:2: not valid JSON: unexpected number literal"},
        {"{}\n}", "f:2:1: not valid JSON: unexpected '}'"},
        {"{\"a\": \"b\n\"}", "f:1:9: not valid JSON: invalid string: control character"},
        {"{\"a\": \"b", "f:1:7: not valid JSON: invalid string: missing closing quote"},
        {"{\"a\": \"b\xff\"}", "f:1:9: not valid JSON: invalid string: ill-formed UTF-8 byte"},
        {"{\"a\": \"\\x\"}", "f:1:9: not valid JSON: invalid string: forbidden character"},
    }));
    INFO(text);
    CHECK_THAT(json_failure(text), Catch::Matchers::StartsWith(message));
}

TEST_CASE("hints name what is not JSON") {
    CHECK_THAT(json_failure("{\"a\": -Infinity}"),
               Catch::Matchers::EndsWith("JSON has no infinity"));
    CHECK_THAT(json_failure("{'a': 1}"), Catch::Matchers::EndsWith("JSON takes double quotes"));
    CHECK_THAT(json_failure("# x\n{}"), !Catch::Matchers::Contains("comma"));
    CHECK_THAT(json_failure("// x\n{}"), Catch::Matchers::EndsWith("JSON has no comments"));
    CHECK_THAT(json_failure("{\"a\": 1, }"), Catch::Matchers::EndsWith("before a closing bracket"));
}

TEST_CASE("a zero byte is not the end of the text") {
    CHECK(json_failure(std::string("{}\n\0{", 5)) == "f:2:1: not valid JSON: a zero byte");
}

TEST_CASE("a key that comes twice is a mistake, but not in two objects") {
    CHECK(json_failure("{\"a\": 1,\n \"b\": {\"a\": 1, \"a\": 2}}") ==
          "f:2:16: the key \"a\" comes twice in one object");
    CHECK_NOTHROW(parse_located_json("[{\"a\": 1}, {\"a\": {\"a\": 2}}]", "f"));
}

TEST_CASE("depth and size have limits") {
    const auto nested = [](size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK_NOTHROW(parse_located_json(nested(kMaxConfigDepth), "f"));
    CHECK(json_failure(nested(kMaxConfigDepth + 1)) ==
          "f:1:65: more than 64 objects and lists within each other");
    CHECK_THAT(json_failure(std::string(100000, '[')), Catch::Matchers::StartsWith("f:1:65: "));
    const std::string padding(kMaxConfigBytes - 2, ' ');
    CHECK_NOTHROW(parse_located_json("{}" + padding, "f"));
    CHECK(json_failure("{} " + padding) ==
          "f: 1048577 bytes, more than the 1048576 a config may have");
}

TEST_CASE("messages quote text on one line, not at length, and always as UTF-8") {
    CHECK(json_quoted("a\"b\n\x1b") == "\"a\\\"b\\n\\u001b\"");
    CHECK(json_quoted(std::string(100, 'x')) == "\"" + std::string(60, 'x') + "...\"");
    CHECK(is_utf8(json_quoted(std::string(59, 'x') + "\xc3\xa9\xff")));
    CHECK(is_utf8("\xc3\xa9"));
    CHECK_FALSE(is_utf8("\xc3"));
}

}  // namespace
}  // namespace polytrain::config
