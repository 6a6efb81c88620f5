// Ids that Hugging Face tokenizers gave for real tokenizer files.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/file.hpp"
#include "data/tokenizer.hpp"
#include "support/catch.hpp"
#include "tokenizer/parts.hpp"

using namespace polytrain;
using namespace polytrain::testing;
using nlohmann::json;

TEST_CASE("real tokenizers give the ids of the ecosystem for every case") {
    const std::filesystem::path folder = POLYTRAIN_SOURCE_DIR "/../shared/tokenizers";
    if (!std::filesystem::exists(folder)) {
        WARN("skipped: there is no " << folder);
        return;
    }
    const std::pair<const char*, const char*> tokenizers[] = {
        {"gpt2", "gpt2/tokenizer.json"},
        {"olmo", "olmo/allenai_gpt-neox-olmo-dolma-v1_5.json"},
        {"dolma2", "olmo/allenai_dolma2.json"}};
    Random random("tokenizer cases");
    std::vector<json> cases;
    std::istringstream lines(read_file(folder / "cases.jsonl"));
    for (std::string line; std::getline(lines, line);) cases.push_back(json::parse(line));
    REQUIRE(cases.size() == 26);
    for (const auto& [name, file] : tokenizers) {
        const auto tokenizer = make_tokenizer((folder / file).string());
        for (const json& one : cases) {
            CAPTURE(name, one["name"]);
            const std::string text = one["text"];
            const std::vector<int32_t> ids = tokenizer->encode(text);
            CHECK(ids == one["ids"][name].get<std::vector<int32_t>>());
            CHECK(encode_in_parts(*tokenizer, text, random) == ids);
            CHECK((tokenizer->decode(ids) == text) == one["decoded_equals_input"][name]);
        }
    }
}
