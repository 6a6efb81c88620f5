// Ids that Hugging Face tokenizers gave for tokenizers that PolyTrain trained, and for variations
// of them (fixtures/make.py says how they were made).

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "data/tokenizer/bpe_tokenizer.hpp"
#include "support/catch.hpp"
#include "tokenizer/parts.hpp"

using namespace polytrain;
using namespace polytrain::testing;
using nlohmann::json;

namespace {

const std::string kFixtures = POLYTRAIN_SOURCE_DIR "/tests/tokenizer/fixtures/";

// As make.py's: a null takes a byte token away and is a value elsewhere.
void merge_patch(json& target, const json& patch) {
    for (const auto& [key, value] : patch.items()) {
        if (value.is_object() && (key == "model" || key == "vocab"))
            merge_patch(target[key], value);
        else if (value.is_null() && key.starts_with("<0x"))
            target.erase(key);
        else
            target[key] = value;
    }
}

}  // namespace

TEST_CASE("every component gives the ids of Hugging Face tokenizers on hard strings") {
    Random random("tokenizer fixtures");
    size_t llama_cases = 0;
    for (const json& variation : json::parse(read_file(kFixtures + "cases.json"))) {
        const auto base = variation["base"].get<std::string>();
        json file = json::parse(read_file(kFixtures + base + ".json"));
        merge_patch(file, variation["patch"]);
        const auto tokenizer = make_bpe_tokenizer(file.dump(), base);
        const auto encoder = tokenizer->make_encoder();
        for (const json& one : variation["cases"]) {
            const auto text = one["text"].get<std::string>();
            CAPTURE(variation["name"], one["text"]);
            const auto expected = one["ids"].get<std::vector<int32_t>>();
            std::vector<int32_t> ids;
            encoder->encode(text, true, ids);
            CHECK(ids == expected);
            CHECK(encode_in_parts(*tokenizer, text, random) == expected);
            llama_cases += variation["name"] == "plain" && base == "llama" ? 1 : 0;
        }
        CHECK(encoder->report().invalid_bytes == 0);
        CHECK(encoder->report().forced_cuts == 0);
    }
    CHECK(llama_cases >= 200);
}
