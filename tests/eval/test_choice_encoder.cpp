#include "eval/choice_encoder.hpp"

#include "support/catch.hpp"
#include "support/thrown.hpp"
#include "tokenizer/toy.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

using nlohmann::json;

// a b c blank ab bc " b", and an end of text.
std::unique_ptr<Tokenizer> toy(bool has_end = true) {
    json file = toy_file(
        {{"a", 0}, {"b", 1}, {"c", 2}, {" ", 3}, {"ab", 4}, {"bc", 5}, {" b", 6}},
        json::array({json::array({"a", "b"}), json::array({"b", "c"}), json::array({" ", "b"})}));
    if (has_end)
        file["added_tokens"] = {{{"id", 7},
                                 {"content", "<|endoftext|>"},
                                 {"special", true},
                                 {"single_word", false},
                                 {"lstrip", false},
                                 {"rstrip", false},
                                 {"normalized", false}}};
    return make_toy(file);
}

using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("choice encoder: the harness encodes both as one text, OLMo each by itself") {
    const auto tokenizer = toy();
    ChoiceEncoder encoder(*tokenizer, 10);
    const auto check = [&](Dialect dialect, const char* context, const char* continuation,
                           const Ids& ids, int64_t scored) {
        INFO(name_of(dialect) << ": \"" << context << "\" + \"" << continuation << "\"");
        const auto sequence = encoder.encode(context, continuation, dialect, "here");
        REQUIRE(sequence);
        CHECK(sequence->ids == ids);
        CHECK(sequence->scored == scored);
    };
    // "c" + " b": the same either way.
    check(Dialect::kHarness, "c", " b", {2, 6}, 1);
    check(Dialect::kOlmo, "c", " b", {2, 6}, 1);
    // The blank at the end goes to the continuation.
    check(Dialect::kHarness, "c ", "b", {2, 6}, 1);
    check(Dialect::kOlmo, "c ", "b", {2, 3, 1}, 1);
    check(Dialect::kHarness, "c ", " b", {2, 3, 6}, 2);
    // As one text "abc" is ab c; as many tokens as "a" has are left out of it.
    check(Dialect::kHarness, "a", "bc", {0, 2}, 1);
    check(Dialect::kOlmo, "a", "bc", {0, 5}, 1);
    // Nothing before it: the token that parts texts stands there.
    check(Dialect::kHarness, "", " b", {7, 6}, 1);
    check(Dialect::kHarness, " ", "b", {7, 6}, 1);
    check(Dialect::kOlmo, "", " b", {7, 6}, 1);
}

TEST_CASE("choice encoder: what is too long is cut at the left") {
    const auto tokenizer = toy();
    ChoiceEncoder encoder(*tokenizer, 4);
    for (const Dialect dialect : {Dialect::kHarness, Dialect::kOlmo}) {
        CHECK(encoder.encode("ccaa", "c", dialect, "").value().ids == Ids{2, 2, 0, 0, 2});
        CHECK(encoder.encode("ccaaa", "c", dialect, "").value().ids == Ids{2, 0, 0, 0, 2});
        const auto longest = encoder.encode("aa", "cccc", dialect, "");
        REQUIRE(longest);
        CHECK(longest->ids == Ids{0, 2, 2, 2, 2});
        CHECK(longest->scored == 4);
        CHECK_FALSE(encoder.encode("aa", "ccccc", dialect, ""));
    }
    CHECK(encoder.cut() == 4);
}

TEST_CASE("choice encoder: a continuation that can't be scored is told") {
    const auto tokenizer = toy(), without_end = toy(false);
    ChoiceEncoder encoder(*tokenizer, 4), bare(*without_end, 4);
    const auto thrown = [](ChoiceEncoder& by, const char* context, const char* continuation) {
        return thrown_by([&] { by.encode(context, continuation, Dialect::kHarness, "task:3"); });
    };
    CHECK(thrown(encoder, "a", "b").code == ExitCode::kCorrupt);  // all is one token, as "a" is
    CHECK(thrown(encoder, "a", "b").says("task:3: the continuation \"b\" has no tokens"));
    CHECK(thrown(bare, "", "c").code == ExitCode::kCorrupt);
    CHECK(thrown(bare, "", "c").says("task:3: the context has no tokens"));
    CHECK(thrown(bare, "a", "c").code == ExitCode::kDone);
}
