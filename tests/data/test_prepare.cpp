#include "data/number_tokenizer.hpp"
#include "data/prepare.hpp"
#include "data/token_file.hpp"
#include "data/tokenizer/characters.hpp"
#include "data/tokenizer/with_separator.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& bin) {
    const TokenFile file(bin);
    std::vector<int32_t> ids(static_cast<size_t>(file.tokens()));
    file.read(0, file.tokens(), ids.data());
    return make_tokenizer("bytes")->decode(ids);
}

struct Fixture {
    TempFolder folder;
    std::unique_ptr<Tokenizer> bytes = make_tokenizer("bytes");
    fs::path out = folder / "out";

    fs::path text(const std::string& name, const std::string& content) {
        spit(folder / name, content);
        return folder / name;
    }
    PrepareResult run(std::vector<fs::path> inputs, double validation) {
        return prepare({std::move(inputs), out, validation}, *bytes);
    }
    Thrown refused(std::vector<fs::path> inputs, double validation = 0.5) {
        return thrown_by([&] { run(std::move(inputs), validation); });
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "the last documents are held out, at least one, never all") {
    std::vector<fs::path> inputs;
    for (char c = 'a'; c < 'k'; ++c)
        inputs.push_back(text(std::string{c, '.', 't', 'x', 't'}, {c}));
    const auto [fraction, train, held_out] = GENERATE(table<double, std::string, std::string>(
        {{0.3, "abcdefg", "hij"}, {0.01, "abcdefghi", "j"}, {0.99, "a", "bcdefghij"}}));
    const PrepareResult result = run(inputs, fraction);
    CHECK(text_of(out / "train.bin") == train);
    CHECK(text_of(out / "validation.bin") == held_out);
    CHECK(result.train_documents == static_cast<int64_t>(train.size()));
    CHECK(result.validation_tokens == static_cast<int64_t>(held_out.size()));
    CHECK(TokenFile(out / "train.bin").info().documents.size() == train.size());
}

TEST_CASE_METHOD(Fixture, "a single document is cut between characters") {
    // Characters of 1 to 4 bytes: a, e acute, euro, clef.
    const std::string content = "a\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e";
    const size_t starts[] = {0, 1, 3, 6};
    const fs::path input = text("one.txt", content);
    for (int percent = 5; percent < 100; percent += 5) {
        const auto wanted =
            static_cast<size_t>(static_cast<double>(content.size()) * (1 - percent / 100.0));
        const Thrown thrown = refused({input}, percent / 100.0);
        if (wanted == 0) {
            CHECK(thrown.code == ExitCode::kCorrupt);
            continue;
        }
        REQUIRE(thrown.message.empty());
        const std::string train = text_of(out / "train.bin");
        CHECK(train.size() == *std::prev(std::upper_bound(starts, starts + 4, wanted)));
        CHECK(train + text_of(out / "validation.bin") == content);
    }
}

TEST_CASE_METHOD(Fixture, "a single document is cut between characters where blocks meet too") {
    for (size_t size = 2 * 65530; size < 2 * 65542; ++size) {
        std::string content(size % 3, 'a');
        while (content.size() < size) content += "\xe2\x82\xac";
        run({text("one.txt", content)}, 0.5);
        const std::string train = text_of(out / "train.bin");
        CHECK(train.size() == size % 3 + (size / 2 - size % 3) / 3 * 3);
        CHECK((train + text_of(out / "validation.bin") == content));
    }
}

TEST_CASE_METHOD(Fixture, "text that isn't UTF-8 is kept byte by byte") {
    const std::string content = std::string(5000000, '\xbf') + '\0' + "\r\n";
    run({text("one.txt", content)}, 0.25);
    CHECK(text_of(out / "train.bin") + text_of(out / "validation.bin") == content);
}

TEST_CASE_METHOD(Fixture, "validation 0 holds nothing out and removes an older held-out file") {
    const fs::path input = text("one.txt", "some text");
    run({input}, 0.5);
    CHECK(fs::exists(out / "validation.bin"));
    run({input}, 0);
    CHECK(text_of(out / "train.bin") == "some text");
    CHECK(!fs::exists(out / "validation.bin"));
    CHECK(!fs::exists(out / "validation.json"));
}

TEST_CASE_METHOD(Fixture, "the same inputs give the same bytes, and nothing else in the folder") {
    const fs::path input = text("one.txt", std::string(3000000, 'x') + "\xe2\x82\xac y");
    run({input}, 0.1);
    std::vector<std::string> before;
    for (const char* name : {"train.bin", "train.json", "validation.bin", "validation.json"})
        before.push_back(slurp(out / name));
    run({input}, 0.1);
    size_t i = 0;
    for (const char* name : {"train.bin", "train.json", "validation.bin", "validation.json"})
        CHECK((slurp(out / name) == before[i++]));
    CHECK(std::distance(fs::directory_iterator(out), {}) == 4);
}

TEST_CASE_METHOD(Fixture, "a separator follows each document") {
    const NumberTokenizer tokenizer(300);
    prepare({{text("a.txt", "A"), text("b.txt", "B"), text("c.txt", "C")}, out, 0.3}, tokenizer);
    const TokenFile file(out / "train.bin");
    int32_t ids[4];
    REQUIRE(file.tokens() == 4);
    file.read(0, 4, ids);
    CHECK(std::vector<int32_t>(ids, ids + 4) == std::vector<int32_t>{'A', 299, 'B', 299});
    CHECK(file.info().documents == std::vector<int64_t>{0, 2});
}

TEST_CASE_METHOD(Fixture, "another separator is another prepare") {
    const WithSeparator other(make_tokenizer("bytes"), 10);
    CHECK(other.fingerprint() == bytes->fingerprint());
    CHECK(!(prepare_settings({}, other, "text", 0.5) == prepare_settings({}, *bytes, "text", 0.5)));
    prepare({{text("a.txt", "A"), text("b.txt", "B")}, out, 0}, other);
    CHECK(text_of(out / "train.bin") == "A\nB\n");
    CHECK(TokenFile(out / "train.bin").info().separator == 10);
}

TEST_CASE_METHOD(Fixture,
                 "the file of an earlier text's characters doesn't stay beside other tokens") {
    CharacterSet characters;
    characters.add("ab", true);
    const auto tokenizer = characters.tokenizer();
    prepare({{text("a.txt", "ab")}, out, 0}, *tokenizer);
    CHECK(fs::exists(out / "tokenizer.json"));
    run({text("b.txt", "cd")}, 0);
    CHECK(text_of(out / "train.bin") == "cd");
    CHECK(!fs::exists(out / "tokenizer.json"));
}

TEST_CASE_METHOD(Fixture, "an input that changes while it is read is noticed") {
    const fs::path input = text("a.jsonl", "{\"text\": \"a\"}\n");
    PrepareOptions options{{input, text("b.txt", "b")}, out, 0.5};
    options.on_progress = [&](const PrepareProgress&) { spit(input, "{\"text\": \"other\"}\n"); };
    const Thrown thrown = thrown_by([&] { prepare(options, *bytes); });
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(thrown.says("a.jsonl: changed while it was read"));
    CHECK(!fs::exists(out / "train.bin"));
}

TEST_CASE_METHOD(Fixture, "bad inputs: the exit code and the file, and no output") {
    const fs::path good = text("good.txt", "good text");
    const auto check = [&](const fs::path& bad, ExitCode code, const std::string& why) {
        const Thrown thrown = refused({good, bad});
        INFO(thrown.message);
        CHECK(thrown.code == code);
        CHECK(thrown.says(bad));
        CHECK(thrown.says(why));
        CHECK(!fs::exists(out));
    };
    check(folder / "none.txt", ExitCode::kInputMissing, "cannot open");
    check(text("page.html", "x"), ExitCode::kUsage, "cannot be read");
    check(text("empty.txt", ""), ExitCode::kCorrupt, "is empty");
    check(folder.path() / "." / "good.txt", ExitCode::kUsage, "given twice");
}

TEST_CASE_METHOD(Fixture, "bad options") {
    CHECK(refused({}).code == ExitCode::kUsage);
    for (double fraction : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK(refused({text("a.txt", "abc")}, fraction).code == ExitCode::kUsage);
    CHECK(refused({text("a.txt", "a")}).code == ExitCode::kCorrupt);  // too short to split
}

TEST_CASE_METHOD(Fixture, "files that prepare did not write are not replaced") {
    const std::string name =
        GENERATE("train.bin", "train.json", "validation.bin", "validation.json");
    fs::create_directories(out);
    spit(out / name, "{\"mine\": 1}");
    const Thrown thrown = refused({text("a.txt", "abcdef")});
    CHECK(thrown.code == ExitCode::kCannotWrite);
    CHECK(thrown.says("in the way"));
    CHECK(slurp(out / name) == "{\"mine\": 1}");
    CHECK(std::distance(fs::directory_iterator(out), {}) == 1);
}

TEST_CASE_METHOD(Fixture, "a file in place of the output folder") {
    CHECK(thrown_by([&] {
              prepare({{text("a.txt", "abc")}, text("file", ""), 0.5}, *bytes);
          }).code == ExitCode::kCannotWrite);
}
