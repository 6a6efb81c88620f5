// Byte-pair encoding against its definition, on random merges and random texts.

#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/thrown.hpp"
#include "tokenizer/parts.hpp"
#include "tokenizer/toy.hpp"

using namespace polytrain;
using namespace polytrain::testing;
using nlohmann::json;

namespace {

struct RandomBpe {
    std::vector<std::string> tokens;
    std::vector<std::pair<std::string, std::string>> merges;

    // Merges of random tokens, so that most never come about and many compete.
    RandomBpe(Random& random, int64_t letters, int64_t count) {
        for (int64_t i = 0; i < letters; ++i) tokens.emplace_back(1, static_cast<char>('a' + i));
        std::set<std::string> known(tokens.begin(), tokens.end());
        std::set<std::pair<std::string, std::string>> seen;
        for (int64_t i = 0; i < count; ++i) {
            const auto pick = [&] {
                // Short ones likelier: long tokens hardly ever meet.
                const auto size = static_cast<int64_t>(tokens.size());
                return tokens[static_cast<size_t>(
                    std::min(random.integer(0, size - 1), random.integer(0, size - 1)))];
            };
            const std::pair<std::string, std::string> merge{pick(), pick()};
            if (!seen.insert(merge).second) continue;
            merges.push_back(merge);
            if (known.insert(merge.first + merge.second).second)
                tokens.push_back(merge.first + merge.second);
        }
    }

    json file() const {
        json vocabulary, list = json::array();
        for (size_t i = 0; i < tokens.size(); ++i) vocabulary[tokens[i]] = i;
        for (const auto& [left, right] : merges) list.push_back(json::array({left, right}));
        return toy_file(vocabulary, list);
    }

    // Sennrich et al. 2016, word for word.
    std::vector<std::string> encode(const std::string& text) const {
        std::map<std::pair<std::string, std::string>, size_t> ranks;
        for (size_t i = 0; i < merges.size(); ++i) ranks[merges[i]] = i;
        std::vector<std::string> symbols;
        for (const char c : text) symbols.emplace_back(1, c);
        for (;;) {
            size_t best = merges.size(), at = 0;
            for (size_t i = 0; i + 1 < symbols.size(); ++i) {
                const auto found = ranks.find({symbols[i], symbols[i + 1]});
                if (found == ranks.end() || found->second >= best) continue;
                best = found->second;
                at = i;
            }
            if (best == merges.size()) return symbols;
            symbols[at] += symbols[at + 1];
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        }
    }
};

}  // namespace

TEST_CASE("merges are made in the order of the list, the leftmost first") {
    Random random("bpe against its definition");
    for (int round = 0; round < 60; ++round) {
        const RandomBpe bpe(random, random.integer(2, 6), random.integer(1, 40));
        const auto tokenizer = make_toy(bpe.file());
        for (int i = 0; i < 12; ++i) {
            std::string text;
            const int64_t length = random.integer(0, i < 10 ? 60 : 600);
            for (int64_t k = 0; k < length; ++k)
                text += static_cast<char>('a' + random.integer(0, 6));  // some are not in the list
            std::string known = text;
            std::erase_if(known, [&](char c) {
                return std::find(bpe.tokens.begin(), bpe.tokens.end(), std::string(1, c)) ==
                       bpe.tokens.end();
            });
            CAPTURE(text, bpe.merges.size());
            std::vector<std::string> found;
            for (const int32_t id : tokenizer->encode(text))
                found.push_back(bpe.tokens[static_cast<size_t>(id)]);
            CHECK(found == bpe.encode(known));
            CHECK(encode_in_parts(*tokenizer, text, random) == tokenizer->encode(text));
            const auto encoder = tokenizer->make_encoder();
            std::vector<int32_t> ids;
            encoder->encode(text, true, ids);
            CHECK(encoder->report().dropped == static_cast<int64_t>(text.size() - known.size()));
        }
    }
}

TEST_CASE("a word of 100,000 letters is encoded exactly") {
    json vocabulary, merges = json::array();
    std::string token = "a";
    for (int i = 0; i < 6; ++i, token += token) {
        vocabulary[token] = i;
        if (i < 5) merges.push_back(token + " " + token);
    }
    const auto tokenizer = make_toy(toy_file(vocabulary, merges));
    const std::vector<int32_t> ids = tokenizer->encode(std::string(100'000, 'a'));
    REQUIRE(ids.size() == 100'000 / 32);
    CHECK(std::all_of(ids.begin(), ids.end(), [](int32_t id) { return id == 5; }));
}

TEST_CASE("with ignore_merges a piece that is a token is taken whole, also in parts") {
    json file =
        toy_file({{"a", 0}, {"b", 1}, {"ab", 2}, {"ba", 3}, {"abab", 4}, {"bab", 5}}, {"a b"});
    file["model"]["ignore_merges"] = true;
    const auto tokenizer = make_toy(file);
    const std::pair<const char*, std::vector<int32_t>> cases[] = {
        {"bab", {5}}, {"ba", {3}}, {"abab", {4}}, {"ababab", {2, 2, 2}}, {"bbab", {1, 1, 2}}};
    for (const auto& [text, ids] : cases) {
        CAPTURE(text);
        CHECK(tokenizer->encode(text) == ids);
        const auto encoder = tokenizer->make_encoder();
        std::vector<int32_t> in_parts;
        for (const char* c = text; *c != '\0'; ++c) encoder->encode({c, 1}, false, in_parts);
        encoder->encode("", true, in_parts);
        CHECK(in_parts == ids);
    }
}

TEST_CASE("what doesn't fit into the memory bound is cut and counted") {
    const auto tokenizer = make_toy(toy_file({{"a", 0}, {"aa", 1}}, {"a a"}));
    const auto encoder = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    encoder->encode(std::string((size_t{5} << 20) + 2, 'a'), true, ids);
    CHECK(ids.size() == (size_t{5} << 19) + 1);
    CHECK(encoder->report().forced_cuts == 5);
    // Where a merge can't reach across, nothing is cut by force.
    std::string words;
    while (words.size() < size_t{3} << 20) words += "aaab";
    const auto apart = make_toy(toy_file({{"a", 0}, {"aa", 1}, {"b", 2}}, {"a a"}));
    const auto other = apart->make_encoder();
    ids.clear();
    other->encode(words, true, ids);
    CHECK(ids.size() == words.size() / 4 * 3);
    CHECK(other->report().forced_cuts == 0);
}
