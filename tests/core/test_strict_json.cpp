#include <nlohmann/json.hpp>

#include "core/strict_json.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("strict JSON refuses duplicate keys, deep nesting and damage, and says where") {
    CHECK(parse_strict_json(R"({"a":{"b":1},"c":{"b":2}})", "f", 2)["c"]["b"] == 2);
    const auto refused = [](const std::string& text, const std::string& why) {
        const Thrown thrown = thrown_by([&] { parse_strict_json(text, "f.json", 3); });
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says("f.json"));
        CHECK(thrown.says(why));
    };
    refused(R"({"a":1,"b":2,"a":1})", "\"a\" appears twice");
    refused(R"([{"x":{"y":1}},{"x":{"y":1,"y":2}}])", "\"y\" appears twice");
    refused("[[[[]]]]", "deeper than 3");
    refused(std::string(1000000, '['), "deeper than 3");
    refused(R"({"a":1)", "not valid JSON");
    refused("{\"a\":\"\xff\"}", "not valid JSON");
    refused("", "not valid JSON");
}

TEST_CASE("a sealed document shows every changed byte and every truncation") {
    TempFolder folder;
    const auto path = folder / "sealed.json";
    const std::string text = seal_json({{"n", 12}, {"x", 0.1}, {"list", {1, 2}}, {"s", "a \"b\""}});
    spit(path, text);
    const nlohmann::json read = read_sealed_json(path, 1 << 20);
    CHECK(read == nlohmann::json({{"n", 12}, {"x", 0.1}, {"list", {1, 2}}, {"s", "a \"b\""}}));

    const auto refused = [&](const std::string& damaged) {
        spit(path, damaged);
        return thrown_by([&] { read_sealed_json(path, 1 << 20); }).code == ExitCode::kCorrupt;
    };
    int missed = 0;
    for (size_t byte = 0; byte < text.size(); ++byte) {
        std::string others = "\n \t";
        for (int bit = 0; bit < 8; ++bit) others += static_cast<char>(text[byte] ^ (1 << bit));
        for (const char other : others) {
            std::string damaged = text;
            damaged[byte] = other;
            if (damaged != text && !refused(damaged)) ++missed;
        }
        if (!refused(text.substr(0, byte))) ++missed;
    }
    CHECK(missed == 0);
    CHECK(refused(text + "\n"));
    CHECK(refused("[]"));
    CHECK(thrown_by([&] { read_sealed_json(folder / "none", 9); }).code == ExitCode::kInputMissing);
}
