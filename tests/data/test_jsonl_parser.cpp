#include <nlohmann/json.hpp>

#include "data/text/jsonl_parser.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
using nlohmann::json;

namespace {

struct Parsed {
    std::vector<std::string> texts;
    std::vector<JsonlLine> lines;
    Thrown thrown;
};

// Parses `stream` in parts of `part` bytes; 0: of random sizes.
Parsed parse(std::string_view stream, size_t part, const std::string& field = "text") {
    static Random random("parts");
    Parsed parsed;
    JsonlText out;
    parsed.thrown = thrown_by([&] {
        JsonlParser parser("file", field);
        while (!stream.empty()) {
            const size_t size = part > 0 ? part : static_cast<size_t>(random.integer(0, 20));
            parser.parse(stream.substr(0, size), out);
            stream.remove_prefix(std::min(size, stream.size()));
        }
        parser.finish(out);
    });
    size_t begin = 0;
    for (const JsonlLine& line : out.lines) {
        parsed.texts.push_back(out.text.substr(begin, line.text_end - begin));
        begin = line.text_end;
    }
    parsed.lines = out.lines;
    return parsed;
}

std::vector<std::string> texts_of(std::string_view stream) {
    const Parsed whole = parse(stream, stream.size() + 1);
    INFO(whole.thrown.message);
    CHECK(whole.thrown.code == ExitCode::kDone);
    for (const size_t part : {1, 2, 3, 0}) CHECK(parse(stream, part).texts == whole.texts);
    return whole.texts;
}

std::string refusal_of(std::string_view stream) {
    const Parsed whole = parse(stream, stream.size() + 1);
    CHECK(whole.thrown.code == ExitCode::kCorrupt);
    for (const size_t part : {1, 2, 0})
        CHECK(parse(stream, part).thrown.message == whole.thrown.message);
    return whole.thrown.message;
}

std::string random_text(Random& random) {
    static const char* const kPieces[] = {"a",  "\"", "\\", "/",    "\n",       "\t",
                                          "{",  "}",  "[",  "\x01", "\xc3\xa9", "\xe2\x82\xac",
                                          "\r", ":",  ",",  "text", "\x7f",     "\xf0\x9d\x84\x9e"};
    std::string text;
    for (int64_t n = random.integer(0, 12); n > 0; --n)
        text += kPieces[random.integer(0, std::size(kPieces) - 1)];
    return text;
}

json random_value(Random& random, int depth) {
    switch (random.integer(0, depth > 0 ? 8 : 6)) {
        case 0:
            return nullptr;
        case 1:
            return random.integer(0, 1) == 1;
        case 2:
            return random.integer(-100, 100);
        case 3:
            return random.uniform(-1e9, 1e9) * 1e-20;
        case 4:
            return 0;
        case 5:
        case 6:
            return random_text(random);
        case 7: {
            json array = json::array();
            for (int64_t n = random.integer(0, 3); n > 0; --n)
                array.push_back(random_value(random, depth - 1));
            return array;
        }
        default: {
            json object = json::object();
            for (int64_t n = random.integer(0, 3); n > 0; --n)
                object[random.integer(0, 3) == 0 ? "text" : random_text(random)] =
                    random_value(random, depth - 1);
            return object;
        }
    }
}

// The text that the standard reading of a line gives; nothing where it is not a line for us.
std::optional<std::string> oracle(const std::string& line) {
    int depth = 0, fields = 0;
    const auto count = [&](int at, json::parse_event_t event, json& parsed) {
        depth = std::max(depth, at);
        if (event == json::parse_event_t::key && at == 1 && parsed == "text") ++fields;
        return true;
    };
    const json value = json::parse(line, count, false);
    if (!value.is_object() || fields != 1 || !value["text"].is_string()) return std::nullopt;
    return value["text"].get<std::string>();
}

}  // namespace

TEST_CASE("jsonl: lines that any reader of JSON takes, whole and mutated, give the same text") {
    Random random("jsonl");
    int valid = 0, refused = 0;
    for (int i = 0; i < 6000; ++i) {
        json object = json::object();
        for (int64_t n = random.integer(0, 3); n > 0; --n)
            object[random_text(random)] = random_value(random, 2);
        object["text"] = random_text(random);
        std::string line =
            object.dump(random.integer(0, 3) == 0 ? 0 : -1, ' ', random.integer(0, 1) == 1);
        std::replace(line.begin(), line.end(), '\n', ' ');  // of the indented form
        for (int64_t n = random.integer(0, 2); n > 0 && !line.empty(); --n) {
            static constexpr std::string_view kBytes = "\"\\{}[]:,0123456789+-.eEtrufalsn \tuU/bx";
            const auto at = static_cast<size_t>(random.integer(0, std::ssize(line) - 1));
            const char byte = kBytes[static_cast<size_t>(random.integer(0, kBytes.size() - 1))];
            const int64_t how = random.integer(0, 3);
            if (how == 0) line[at] = byte;
            if (how == 1) line.insert(at, 1, byte);
            if (how == 2) line.erase(at, 1);
        }
        INFO(line);
        const auto expected = oracle(line);
        const Parsed parsed = parse(line + "\n", static_cast<size_t>(random.integer(0, 3)));
        INFO(parsed.thrown.message);
        // Half surrogate pairs, bytes cut out of a character and 1e999 are ours to take.
        const bool ours = !expected && parsed.thrown.code == ExitCode::kDone;
        if (ours) {
            const std::string error = [&] {
                try {
                    return json::parse(line).dump().substr(0, 0);
                } catch (const json::exception& exception) {
                    return std::string(exception.what());
                }
            }();
            CHECK((error.find("surrogate") != std::string::npos ||
                   error.find("UTF-8") != std::string::npos ||
                   error.find("number overflow") != std::string::npos));
            continue;
        }
        REQUIRE(expected.has_value() == (parsed.thrown.code == ExitCode::kDone));
        ++(expected ? valid : refused);
        if (expected) REQUIRE(parsed.texts == std::vector<std::string>{*expected});
    }
    CHECK(valid > 1000);
    CHECK(refused > 500);
}

TEST_CASE("jsonl: numbers and literals are those of the standard") {
    for (const char* value : {"0", "-0", "1", "-1.5", "0.0", "1e5", "1E+5", "12.5e-07", "true",
                              "false", "null", "[]", "{}", "[1,2]", "[[],{}]", "\"\""}) {
        INFO(value);
        CHECK(texts_of(fmt::format(R"({{"a":{},"text":"x","b":[{}]}})", value, value)) ==
              std::vector<std::string>{"x"});
    }
    for (const char* value :
         {"",    "00",      "01",          "-",      "+1",      ".5",    "1.",   "1e",
          "1e+", "1.e5",    "tru",         "True",   "nul",     "NaN",   "[1,]", "[,1]",
          "{,}", "{\"a\"}", "{\"a\":}",    "'a'",    "{a:1}",   "[1 2]", "1 2",  "[}",
          "{]",  "\"\\x\"", "\"\\u12g4\"", "\"\t\"", "tru\"e\""}) {
        INFO(value);
        refusal_of(fmt::format(R"({{"a":{},"text":"x"}})", value));
    }
}

TEST_CASE("jsonl: escapes and surrogate pairs") {
    const auto text = [](const std::string& escaped) {
        return texts_of("{\"text\":\"" + escaped + "\"}").at(0);
    };
    CHECK(text(R"(\"\\\/\b\f\n\r\t)") == "\"\\/\b\f\n\r\t");
    CHECK(text(R"(\u0041\u00e9\u20AC\ud834\udd1e)") == "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e");
    CHECK(text(R"(a\u0000b)") == std::string("a\0b", 3));
    CHECK(text("\xff\xc3(") == "\xff\xc3(");  // not UTF-8: as it is
    const std::string lone = "\xef\xbf\xbd";
    const std::pair<const char*, std::string> halves[] = {
        {R"(\ud834)", lone},
        {R"(\udd1e)", lone},
        {R"(\ud834x)", lone + "x"},
        {R"(\ud834\n)", lone + "\n"},
        {R"(\ud834\ud834\udd1e)", lone + "\xf0\x9d\x84\x9e"},
        {R"(\ud834\u0041)", lone + "A"},
        {R"(\udd1e\ud834)", lone + lone},
    };
    for (const auto& [escaped, expected] : halves) {
        INFO(escaped);
        CHECK(text(escaped) == expected);
        const Parsed parsed = parse("{\"\\ud834\":1,\"text\":\"" + std::string(escaped) + "\"}", 0);
        CHECK(parsed.lines.at(0).lone_surrogates == (expected == lone + lone ? 2 : 1));
    }
}

TEST_CASE("jsonl: ends of lines, blank lines, a byte order mark, and places") {
    CHECK(texts_of("").empty());
    CHECK(texts_of("\n \r\n\t\n").empty());
    CHECK(texts_of("\xef\xbb\xbf{\"text\":\"a\"}\r\n\n {\"text\":\"b\"} ") ==
          std::vector<std::string>{"a", "b"});
    CHECK(texts_of("{\"text\":\"\"}\n{\"text\":\"b\"}\n") == std::vector<std::string>{"", "b"});
    const auto lines = parse("{\"text\":\"a\"}\n\n{\"text\":\"bc\"}\n", 1).lines;
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].end_offset == 13);
    CHECK(lines[0].number == 1);
    CHECK(lines[1].end_offset == 28);
    CHECK(lines[1].number == 3);
}

TEST_CASE("jsonl: what is refused says where and why") {
    const std::pair<std::string, std::vector<std::string>> cases[] = {
        {"{\"text\":\"a\"}\n{\"text\":1}\n", {"file: line 2, byte 21", "a number, not a string"}},
        {"{\"text\":null}", {"line 1, byte 8", "is null"}},
        {"{\"text\":{\"text\":\"a\"}}", {"an object, not a string"}},
        {"{\"id\":1,\"body\":{\"text\":\"a\"}}\n", {"no \"text\"", "id, body", "--field"}},
        {"{}\n", {"no \"text\"", "none"}},
        {"{\"text\":\"a\",\"t\\u0065xt\":\"b\"}\n", {"byte 22", "twice"}},
        {"[\"text\"]\n", {"must be a JSON object", "'['"}},
        {"\"text\"\n", {"must be a JSON object"}},
        {"{\"text\":\"a\"} {\"text\":\"b\"}\n", {"after the end"}},
        {"{\"text\":\n\"a\"}", {"byte 8", "line ends within"}},
        {"{\"text\":\"a\n\"}", {"line ends within"}},
        {std::string("{\"text\":\"a\0\"}", 13), {"control character (\\x00)"}},
        {"{\"text\":\"a\"", {"file ends within"}},
        {"{\"text\":\"a", {"file ends within"}},
        {"\xef\xbb{\"text\":\"a\"}", {"byte 2"}},
        {"\xef\xbb", {"file ends"}},
        {"\xef\n", {"must be a JSON object"}},
        {"\n\xef\xbb\xbf{\"text\":\"a\"}", {"line 2", "\\xef"}},
        {"{\"a\":" + std::string(512, '[') + "\n", {"byte 516", "deeper than 512"}},
    };
    for (const auto& [stream, says] : cases) {
        INFO(stream);
        const std::string message = refusal_of(stream);
        for (const std::string& text : says) CHECK_THAT(message, ContainsSubstring(text));
    }
    CHECK(texts_of("{\"a\":" + std::string(511, '[') + std::string(511, ']') + ",\"text\":\"a\"}")
              .size() == 1);
}

TEST_CASE("jsonl: any field's name, and keys of any length") {
    const std::string line =
        "{\"" + std::string(100000, 'k') + "\":1,\"textt\":2,\"tex\":3,\"\":\"e\",\"text\":\"a\"}";
    CHECK(texts_of(line) == std::vector<std::string>{"a"});
    CHECK(parse(line, 7, "").texts == std::vector<std::string>{"e"});
    CHECK(parse(line, 7, std::string(99999, 'k')).thrown.code == ExitCode::kCorrupt);
    const Parsed missing = parse(line, 7, "txt");
    CHECK(missing.thrown.message.size() < 2000);
}
