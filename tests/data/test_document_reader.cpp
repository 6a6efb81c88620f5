#include "data/text/document_reader.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"
#include "support/text_files.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> documents_of(DocumentReader& reader) {
    std::vector<std::string> documents;
    bool open = false;
    for (TextPart part; reader.next(part); open = !part.ends) {
        REQUIRE(part.begins == !open);
        if (part.begins) documents.emplace_back();
        documents.back() += part.text;
    }
    CHECK(!open);
    return documents;
}

std::vector<std::string> documents_of(const std::vector<fs::path>& paths,
                                      const std::string& field = "text") {
    DocumentReader reader(find_text_inputs(paths).files, field);
    return documents_of(reader);
}

// Text that compresses about as prose does.
std::string prose(Random& random, size_t bytes) {
    static const char* const kWords[] = {"the ", "quick ", "fox, ", "jumps\n", "caf\xc3\xa9 "};
    std::string text;
    while (text.size() < bytes) {
        text += kWords[random.integer(0, 4)];
        text += std::to_string(random.integer(0, 1000));
    }
    return text;
}

struct Fixture {
    TempFolder folder;
    Random random{"document reader"};

    fs::path file(const std::string& name, const std::string& content) {
        fs::create_directories((folder / name).parent_path());
        spit(folder / name, content);
        return folder / name;
    }
    Thrown refused(const std::vector<fs::path>& paths) {
        return thrown_by([&] { documents_of(paths); });
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "documents: every compression, in one member and in several") {
    const std::string a = prose(random, 300000), b = prose(random, 1000);
    for (const auto& [extension, compress] : compressors()) {
        INFO(extension);
        const fs::path one = file("one.txt" + extension, compress(a));
        const fs::path several =
            file("several.txt" + extension, compress(a) + compress("") + compress(b));
        CHECK((documents_of({one, several}) == std::vector<std::string>{a, a + b}));
        std::string lines;
        for (int i = 0; i < 100; ++i)
            lines += "{\"text\":\"document " + std::to_string(i) + "\"}\n";
        const auto read = documents_of({file("lines.jsonl" + extension, compress(lines))});
        REQUIRE(read.size() == 100);
        CHECK(read[99] == "document 99");
    }
    CHECK((documents_of({file("padded.txt.gz", gzip(b) + std::string(1000, '\0'))}) ==
           std::vector<std::string>{b}));
}

TEST_CASE_METHOD(Fixture, "documents: compressed files cut short or with a changed byte") {
    const std::string text = prose(random, 200000);
    for (const auto& [extension, compress] : compressors()) {
        const std::string one = compress(text), good = one + one;  // two members
        for (int i = 0; i < 40; ++i) {
            const auto size = static_cast<size_t>(random.integer(0, std::ssize(good) - 1));
            if (size == one.size()) continue;  // a whole file
            const fs::path cut = file("cut.txt" + extension, good.substr(0, size));
            const Thrown thrown = refused({cut});
            INFO(extension << " cut to " << size << " of " << good.size() << thrown.message);
            CHECK(thrown.code == ExitCode::kCorrupt);
            CHECK(thrown.says(cut.string() + ": the file is cut short: it ends at byte " +
                              std::to_string(size)));
        }
        for (int i = 0; i < 40; ++i) {
            const fs::path bad = file("bad.txt" + extension, good);
            // The 10 bytes of a gzip header hold a date and more that says nothing of the text.
            int64_t byte = random.integer(10, std::ssize(one) - 1);
            if (i % 2 == 0) byte += std::ssize(one);
            flip_bit(bad, static_cast<size_t>(byte), static_cast<int>(random.integer(0, 7)));
            const Thrown thrown = refused({bad});
            INFO(extension << " byte " << byte << " of " << good.size() << ": " << thrown.message);
            if (thrown.code == ExitCode::kDone) {  // a bit that says nothing, as there are few
                CHECK(documents_of({bad}) == std::vector<std::string>{text + text});
                continue;
            }
            CHECK(thrown.code == ExitCode::kCorrupt);
            CHECK(thrown.says(bad.string()));
            CHECK(thrown.says("byte "));
        }
        const Thrown thrown = refused({file("more.txt" + extension, good + "and more")});
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(refused({file("not.txt" + extension, text)}).code == ExitCode::kCorrupt);
    }
}

TEST_CASE_METHOD(Fixture, "documents: a zstd window over 128 MiB is refused by its header") {
    const Thrown thrown =
        refused({file("long.txt.zst", zstd_with_window(prose(random, 100000), 28))});
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(thrown.says("--long=27"));
    CHECK(refused({file("long.txt.zst", zstd_with_window(prose(random, 100000), 27))})
              .message.empty());
}

TEST_CASE_METHOD(Fixture, "documents: folders in byte order, other files counted") {
    file("in/b.txt", "b");
    file("in/B.txt", "B");
    file("in/a/z.ndjson", "{\"text\":\"z\"}");
    file("in/a.jsonl", "{\"text\":\"a\"}");
    file("in/c.json.gz", gzip("{\"text\":\"c1\"}\n{\"text\":\"c2\"}\n"));
    file("in/readme.md", "x");
    file("in/archive.gz", gzip("x"));
    const TextInputs found = find_text_inputs({folder / "in"});
    CHECK(found.skipped == 2);
    CHECK(documents_of({folder / "in"}) ==
          std::vector<std::string>{"B", "a", "z", "b", "c1", "c2"});
}

TEST_CASE_METHOD(Fixture, "documents: those without text are left out and counted") {
    const fs::path lines = file("a.jsonl",
                                "{\"text\":\"\"}\n{\"text\":\"a\"}\n{\"text\":\"\"}\n"
                                "{\"text\":\"\\ud800\"}\n{\"text\":\"\"}\n");
    DocumentReader reader(
        find_text_inputs({lines, file("e.txt", ""), file("e.txt.gz", gzip("")), file("b.txt", "b")})
            .files,
        "text");
    CHECK(documents_of(reader) == std::vector<std::string>{"a", "\xef\xbf\xbd", "b"});
    CHECK(reader.report() == TextReport{5, 1});
}

TEST_CASE_METHOD(Fixture, "documents: reading goes on from any place between two") {
    std::string lines;
    for (int i = 0; i < 300; ++i)
        lines += "{\"id\":1,\"text\":\"" +
                 (i % 7 == 0 ? std::string() : std::string(static_cast<size_t>(i * 10), 'x')) +
                 std::to_string(i) + (i % 5 == 0 ? "\\ud800" : "") + "\"}\n" +
                 (i % 11 == 0 ? "\n{\"text\":\"\"}\n" : "");
    const std::vector<fs::path> paths = {file("a.jsonl.gz", gzip(lines)), file("b.txt", "bb"),
                                         file("c.txt", ""), file("d.jsonl", lines),
                                         file("e.txt.zst", zstd(prose(random, 200000)))};
    const auto inputs = find_text_inputs(paths).files;
    DocumentReader whole(inputs, "text");
    const std::vector<std::string> all = documents_of(whole);
    for (int i = 0; i < 20; ++i) {
        DocumentReader before(inputs, "text");
        const auto stop = static_cast<size_t>(random.integer(0, std::ssize(all)));
        size_t count = 0;
        for (TextPart part; count < stop && before.next(part);) count += part.ends;
        DocumentReader after(inputs, "text", before.position(), before.report());
        const std::vector<std::string> rest = documents_of(after);
        CHECK((rest == std::vector<std::string>(all.begin() + std::ptrdiff_t(stop), all.end())));
        CHECK(after.report() == whole.report());
        CHECK(after.file_bytes() == whole.file_bytes());
    }
}

TEST_CASE_METHOD(Fixture, "documents: inputs that cannot be") {
    const fs::path good = file("good.txt", "x");
    fs::create_directories(folder / "empty");
    fs::create_symlink(good, folder / "link.txt");
    const auto code = [&](const std::vector<fs::path>& paths) { return refused(paths).code; };
    CHECK(code({}) == ExitCode::kUsage);
    CHECK(code({folder / "none.txt"}) == ExitCode::kInputMissing);
    CHECK(code({folder / "empty"}) == ExitCode::kInputMissing);
    CHECK(code({good, file("page.html", "x")}) == ExitCode::kUsage);
    CHECK(code({good, good}) == ExitCode::kUsage);
    CHECK(code({good, folder / "link.txt"}) == ExitCode::kUsage);
    CHECK(code({good, folder.path()}) == ExitCode::kUsage);
    const Thrown bad = refused({file("bad.jsonl", "{\"text\":\"a\"}\n{\"text\":3}\n")});
    CHECK(bad.code == ExitCode::kCorrupt);
    CHECK(bad.says((folder / "bad.jsonl").string() + ": line 2, byte 21"));
}

TEST_CASE("documents: the sample of C4") {
    const fs::path sample = fs::path(POLYTRAIN_SOURCE_DIR) / "../shared/formats/jsonl-gz";
    if (!fs::exists(sample)) {
        WARN("skipped: there is no " << sample.string());
        return;
    }
    const std::vector<std::string> documents = documents_of({sample});
    REQUIRE(documents.size() == 30);
    CHECK(documents[0].starts_with("The woman who died after falling from a bridge over the A21"));
}
