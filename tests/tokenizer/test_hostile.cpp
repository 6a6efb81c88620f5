// Text and tokenizer files that were made to break an encoder.

#include "core/clock.hpp"
#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"
#include "tokenizer/parts.hpp"
#include "tokenizer/toy.hpp"

using namespace polytrain;
using namespace polytrain::testing;
using nlohmann::json;

namespace {

const std::string kFixtures = POLYTRAIN_SOURCE_DIR "/tests/tokenizer/fixtures/";

// Bytes of which some are text, some UTF-8 cut short, overlong or beyond Unicode, some anything.
std::string random_bytes(Random& random) {
    static const std::vector<std::string> kPieces = {"the LORD said",
                                                     " ",
                                                     "\n\n",
                                                     std::string(1, '\0'),
                                                     "caf\xc3\xa9",
                                                     "e\xcc\x81",
                                                     "\xe2\x96\x81",
                                                     "\xc3",
                                                     "\xe2\x96",
                                                     "\xf0\x9f\x98",
                                                     "\xf0\x9f\x98\x80",
                                                     "\xc0\xaf",
                                                     "\xe0\x80\xaf",
                                                     "\xed\xa0\x80",
                                                     "\xf4\x90\x80\x80",
                                                     "\xff\xfe",
                                                     "\x80\x80\x80",
                                                     "\xe2\x80\xa8",
                                                     "\xc2\x85"};
    std::string bytes;
    for (int64_t left = random.integer(0, 30); left > 0; --left)
        if (random.integer(0, 3) == 0)
            bytes += static_cast<char>(random.integer(0, 255));
        else
            bytes += kPieces[static_cast<size_t>(
                random.integer(0, static_cast<int64_t>(kPieces.size()) - 1))];
    return bytes;
}

std::string pattern_file(const std::string& pattern) {
    return toy_file({{"a", 0}}, json::array(),
                    {{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}})
        .dump();
}

}  // namespace

TEST_CASE("any bytes come back as they were, wherever the text is cut") {
    Random random("hostile bytes");
    for (const char* name : {"byte_level.json", "llama.json"}) {
        const auto tokenizer = make_tokenizer(kFixtures + name);
        for (int round = 0; round < 400; ++round) {
            const std::string bytes = random_bytes(random);
            CAPTURE(name, bytes);
            const std::vector<int32_t> ids = tokenizer->encode(bytes);
            // Llama's form can't tell U+2581 from a space.
            std::string expected = bytes;
            if (std::string_view(name) == "llama.json")
                for (size_t at; (at = expected.find("\xe2\x96\x81")) != std::string::npos;)
                    expected.replace(at, 3, " ");
            CHECK(tokenizer->decode(ids) == expected);
            CHECK(encode_in_parts(*tokenizer, bytes, random) == ids);
        }
    }
}

TEST_CASE("bytes that aren't UTF-8 are counted, and text around them is exact") {
    const auto tokenizer = make_tokenizer(kFixtures + "byte_level.json");
    const auto encoder = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    encoder->encode("the LORD\xff\xc0the LORD", true, ids);
    CHECK(encoder->report().invalid_bytes == 2);
    CHECK(encoder->report().dropped == 0);
    std::vector<int32_t> expected = tokenizer->encode("the LORD");
    const size_t words = expected.size();
    expected.resize(words + 2);
    expected.insert(expected.end(), expected.begin(),
                    expected.begin() + static_cast<std::ptrdiff_t>(words));
    expected[words] = tokenizer->encode("\xff")[0];
    expected[words + 1] = tokenizer->encode("\xc0")[0];
    CHECK(ids == expected);
}

TEST_CASE("a run of marks without end takes linear time") {
    json file = json::parse(read_file(kFixtures + "byte_level.json"));
    file["normalizer"] = {{"type", "NFC"}};
    const auto tokenizer = make_toy(file);
    std::string marks = "a";
    while (marks.size() < 400'000) marks += "\xcc\x81\xcc\xa3";  // above, below: out of order
    const auto encoder = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    const Stopwatch watch;
    encoder->encode(marks, true, ids);
    CHECK(watch.seconds() < 60);  // hours, were it quadratic
    CHECK(encoder->report().forced_cuts > 0);
}

TEST_CASE("a pattern that backtracks ends in an error, soon") {
    const std::string letters(3000, 'a');
    for (const char* pattern : {"(a+)+[bc]", "(a|aa)+[bc]", "(a*)*[bc]"}) {
        CAPTURE(pattern);
        const auto tokenizer = make_bpe_tokenizer(pattern_file(pattern), "toy.json");
        const Stopwatch watch;
        const Thrown thrown = thrown_by([&] { tokenizer->encode(letters); });
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says("toy.json.pre_tokenizer.pattern"));
        CHECK(watch.seconds() < 60);
    }
}

TEST_CASE("a pattern that PCRE2 would read otherwise is refused") {
    for (const char* pattern : {"a^b",
                                "a$",
                                "[a[bc]]",
                                "[[:alpha:]]",
                                "[\\w&&[^\\d]]",
                                "a{2}+",
                                "a{2}?",
                                "a{x}",
                                "(?m:.)",
                                "a(?i)b|c",
                                "(?s:.)",
                                "(?R)",
                                "(*ACCEPT)",
                                "(?|a)",
                                "(?i:ss)",
                                "(?i:\xc3\x9f)",
                                "\\xe9",
                                "\\pL",
                                "\\p{Script=Han}",
                                "\\p{Nonsense}",
                                "\\b",
                                "\\h",
                                "\\1",
                                "\\G",
                                "[\\P{L}]",
                                "a\\"}) {
        CAPTURE(pattern);
        const Thrown thrown =
            thrown_by([&] { make_bpe_tokenizer(pattern_file(pattern), "toy.json"); });
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK(thrown.says("toy.json.pre_tokenizer.pattern"));
    }
    for (const char* pattern : {"[^^$]", "\\[", "a{,3}", "a{2,}", "(?<!a)b", "[\\]\\[]", "\\{a}"}) {
        CAPTURE(pattern);
        CHECK_NOTHROW(make_bpe_tokenizer(pattern_file(pattern), "toy.json"));
    }
}

TEST_CASE("an encoder can be used again after an error") {
    const auto tokenizer = make_bpe_tokenizer(pattern_file("(a+)+[bc]"), "toy.json");
    const auto encoder = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    encoder->encode("aa", false, ids);
    CHECK_THROWS(encoder->encode(std::string(3000, 'a'), true, ids));
    ids.clear();
    encoder->encode("a", true, ids);
    CHECK(ids == std::vector<int32_t>{0});
}

TEST_CASE("a tokenizer.json that can't be followed says where") {
    const auto refused = [](const json& change, const std::string& path) {
        json file = toy_file({{"a", 0}, {"b", 1}, {"ab", 2}}, {"a b"});
        file.merge_patch(change);
        const Thrown thrown = thrown_by([&] { make_toy(file); });
        CAPTURE(change, thrown.message);
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK(thrown.says((path[0] == ':' ? "toy.json" : "toy.json.") + path));
    };
    refused({{"model", {{"merges", {"a c"}}}}}, "model.merges[0]: \"c\" is not in the vocabulary");
    refused({{"model", {{"merges", {"b a"}}}}}, "model.merges[0]: \"ba\" is not in the vocabulary");
    refused({{"model", {{"merges", {"a b c"}}}}}, "model.merges[0]: is not a merge");
    refused({{"model", {{"merges", {"ab"}}}}}, "model.merges[0]: is not a merge");
    refused({{"model", {{"merges", json::array({json::array({"a", ""})})}}}},
            "model.merges[0]: merges an empty token");
    refused({{"model", {{"merges", json::array({json::array({"a", ""})})}, {"vocab", {{"", 9}}}}}},
            "model.merges[0]: merges an empty token");
    refused({{"model", {{"merges", 3}}}}, "model.merges: is not an array");
    refused({{"model", {{"vocab", {{"c", 2}}}}}}, "model.vocab.");
    refused({{"model", {{"vocab", {{"c", -1}}}}}}, "model.vocab.c: id -1");
    refused({{"model", {{"vocab", {{"c", 1e9}}}}}}, "model.vocab.c: is not an id");
    refused({{"model", {{"vocab", {{"c", int64_t{1} << 40}}}}}}, "model.vocab.c: id 1099511627776");
    refused({{"model", {{"type", "Unigram"}}}}, "model: type \"Unigram\" is not supported");
    refused({{"model", {{"dropout", 0.1}}}}, "model: dropout 0.1 is not supported");
    refused({{"model", {{"end_of_word_suffix", "</w>"}}}}, "model: end_of_word_suffix");
    refused({{"model", {{"unk_token", "<unk>"}}}}, "model.unk_token: \"<unk>\"");
    refused({{"model", {{"byte_fallback", 1}}}}, "model.byte_fallback: is number");
    refused({{"truncation", {{"max_length", 5}}}}, ": truncation");
    refused({{"normalizer",
              {{"type", "Replace"},
               {"pattern", {{"String", "a"}}},
               {"content", std::string(100, 'a')}}}},
            "normalizer: content");
    refused({{"normalizer", {{"type", "Prepend"}, {"prepend", std::string(100, 'a')}}}},
            "normalizer: prepend");
    const json bos = {{"SpecialToken", {{"id", "a"}}}};
    refused({{"post_processor",
              {{"type", "TemplateProcessing"},
               {"single", {bos, bos}},
               {"special_tokens", {{"a", {{"ids", {0}}}}}}}}},
            "post_processor: single");
    refused({{"post_processor",
              {{"type", "TemplateProcessing"},
               {"single", json::array({bos})},
               {"special_tokens", {{"a", {{"ids", {4294967299}}}}}}}}},
            "post_processor.special_tokens.a: ids");
    refused({{"normalizer", {{"type", "NFKC"}}}}, "normalizer: type \"NFKC\" is not supported");
    refused({{"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Strip"}}}}}}},
            "normalizer.normalizers[0]: type \"Strip\"");
    refused({{"pre_tokenizer", {{"type", "Digits"}}}}, "pre_tokenizer: type \"Digits\"");
    refused({{"pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"Regex", "a("}}}, {"behavior", "Isolated"}}}},
            "pre_tokenizer.pattern: malformed pattern at byte 2");
    refused({{"pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"Regex", "\\ba"}}}, {"behavior", "Isolated"}}}},
            "pre_tokenizer.pattern: \\b at byte 0");
    refused({{"pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"Regex", "^a"}}}, {"behavior", "Isolated"}}}},
            "pre_tokenizer.pattern: ^ at byte 0");
    refused({{"pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Never"}}}},
            "pre_tokenizer: behavior \"Never\"");
    refused({{"pre_tokenizer", {{"type", "ByteLevel"}, {"surprise", 1}}}},
            "pre_tokenizer: \"surprise\" is not supported");
    refused({{"decoder", {{"type", "WordPiece"}}}}, "decoder: type \"WordPiece\"");
    refused({{"post_processor", {{"type", "BertProcessing"}}}}, "post_processor: type");
    const auto added = [&](const json& token, const std::string& path) {
        refused({{"added_tokens", json::array({token})}}, "added_tokens[0]" + path);
    };
    added({{"id", 5}}, ": has no \"content\"");
    added({{"id", 5}, {"content", ""}}, ".content: has 0 bytes");
    added({{"id", 5}, {"content", "a"}}, ": \"a\" has the id 5 here and 0 in model.vocab");
    added({{"id", 1}, {"content", "c"}}, ": \"c\" has the id 1 of \"b\"");
    added({{"id", 5}, {"content", "c"}, {"single_word", true}}, ": single_word true");
}

TEST_CASE("of merges listed twice the later place counts, as elsewhere") {
    const json vocabulary = {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"bc", 4}};
    CHECK(make_toy(toy_file(vocabulary, {"a b", "b c"}))->encode("abc") ==
          std::vector<int32_t>{3, 2});
    CHECK(make_toy(toy_file(vocabulary, {"a b", "b c", "a b"}))->encode("abc") ==
          std::vector<int32_t>{0, 4});
}

TEST_CASE("a file that isn't JSON, or has a key twice, is refused") {
    const TempFolder folder;
    const auto refused = [&](const std::string& text) {
        write_file_atomic(folder / "t.json", text);
        return thrown_by([&] { make_tokenizer((folder / "t.json").string()); }).code;
    };
    CHECK(refused("") == ExitCode::kCorrupt);
    CHECK(refused("{\"model\": ") == ExitCode::kCorrupt);
    CHECK(refused("{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}") == ExitCode::kCorrupt);
    CHECK(refused(std::string(100'000, '[')) == ExitCode::kCorrupt);
    CHECK(refused("[]") == ExitCode::kBadConfig);
}
