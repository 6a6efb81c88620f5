#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/pair_tokenizer.hpp"
#include "data/prepare.hpp"
#include "data/token_file.hpp"
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

constexpr const char* kOutputs[] = {"train.bin", "train.json", "validation.bin", "validation.json"};

struct Corpus {
    TempFolder folder;
    Random random{"corpus"};
    std::vector<fs::path> inputs;
    std::vector<std::string> documents;  // what they hold

    std::string text(int64_t most, int64_t least = 1) {
        std::string made(static_cast<size_t>(random.integer(least, most)), 'z');
        // Escapes of several lengths, so that parts end at any place in a document.
        for (size_t i = 0; i < made.size(); i += static_cast<size_t>(random.integer(50, 90)))
            made[i] = static_cast<char>(i % 91);
        made[0] = static_cast<char>(random.integer(' ', '~'));
        return made;
    }
    fs::path file(const std::string& name, const std::string& content) {
        spit(folder / name, content);
        return folder / name;
    }
    void add_lines(int count, int64_t most, int64_t least = 1) {
        std::string lines;
        for (int i = 0; i < count; ++i) {
            if (random.integer(0, 9) == 0) lines += "{\"text\": \"\"}\n";
            documents.push_back(text(most, least));
            lines += nlohmann::json{{"id", i}, {"text", documents.back()}}.dump() + "\n";
        }
        const std::string name = std::to_string(inputs.size()) + ".jsonl.zst";
        inputs.push_back(file(name, zstd(lines)));
    }
    void add_text(size_t size) {
        documents.push_back(text(10) + std::string(size, 'y'));
        const std::string name = std::to_string(inputs.size()) + ".txt.gz";
        inputs.push_back(file(name, gzip(documents.back())));
    }
    PrepareOptions options(int threads, const std::string& out) const {
        PrepareOptions made;
        made.inputs = inputs;
        made.out = folder / out;
        made.validation = 0.1;
        made.threads = threads;
        return made;
    }
    // Whether the folder holds just the documents, the last tenth held out.
    void check(const std::string& out) const {
        const PairTokenizer tokenizer;
        std::vector<std::string> found;
        int64_t held_out = 0;
        for (const char* name : {"train.bin", "validation.bin"}) {
            const TokenFile tokens(folder / out / name);
            const std::vector<int64_t>& starts = tokens.info().documents;
            for (size_t i = 0; i < starts.size(); ++i) {
                const int64_t end = i + 1 < starts.size() ? starts[i + 1] : tokens.tokens();
                std::vector<int32_t> ids(static_cast<size_t>(end - starts[i]));
                tokens.read(starts[i], std::ssize(ids), ids.data());
                REQUIRE(ids.back() == 65536 + 256);
                found.push_back(tokenizer.decode(ids));
            }
            held_out = std::ssize(starts);
        }
        CHECK((found == documents));
        CHECK(held_out == std::max<int64_t>(1, std::llround(0.1 * double(documents.size()))));
    }
    std::vector<std::string> bytes(const std::string& out) const {
        std::vector<std::string> all;
        for (const char* name : kOutputs) all.push_back(slurp(folder / out / name));
        return all;
    }
};

// When a file was last replaced; 0 where there is none.
int64_t replaced_at(const fs::path& path) {
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    return error ? 0 : time.time_since_epoch().count();
}

// Runs prepare() in a process of its own and kills that `after_us` after its start, or after it
// wrote a journal to go on from. Whether it was done before.
bool killed_too_late(const PrepareOptions& options, const Tokenizer& tokenizer, int64_t after_us,
                     bool with_journal = false) {
    const fs::path journal = options.out / "prepare.partial/journal.json";
    const int64_t before = replaced_at(journal);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(STDERR_FILENO);
        ::_exit(thrown_by([&] { prepare(options, tokenizer); }).message.empty() ? 0 : 1);
    }
    siginfo_t ended{};
    while (with_journal && (replaced_at(journal) == 0 || replaced_at(journal) == before) &&
           ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    std::this_thread::sleep_for(std::chrono::microseconds(after_us));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
    return !WIFSIGNALED(status);
}

}  // namespace

TEST_CASE_METHOD(Corpus, "prepare: the same bytes with any number of threads") {
    add_lines(300, 20000);
    add_text(static_cast<size_t>(random.integer(4, 6)) << 20);
    add_lines(3, 7 << 20, 4 << 20);
    add_text(5 << 20);
    add_text(0);
    add_lines(200, 200);
    prepare(options(1, "out"), PairTokenizer());
    check("out");
    for (const int threads : {2, 3, 7}) {
        const PrepareResult result = prepare(options(threads, "out"), PairTokenizer());
        const std::string other = "out" + std::to_string(threads);
        CHECK(prepare(options(threads, other), PairTokenizer()).counts == result.counts);
        CHECK((bytes(other) == bytes("out")));
        CHECK(result.counts.documents == std::ssize(documents));
        int64_t zeros = 0;
        for (const std::string& document : documents)
            zeros += std::count(document.begin(), document.end(), '\0');
        CHECK(result.counts.encoded.invalid_bytes == zeros);
        CHECK(result.train_documents + result.validation_documents == std::ssize(documents));
    }
}

TEST_CASE_METHOD(Corpus, "prepare: killed again and again, the result is the same") {
    add_lines(150, 60000);
    add_text(5 << 20);
    add_lines(150, 60000);
    PrepareResult whole = prepare(options(2, "whole"), PairTokenizer());
    check("whole");
    PrepareOptions again = options(2, "killed");
    again.journal_seconds = 0;
    int kills = 0, gone_on = 0;
    while (kills < 12) {
        if (killed_too_late(again, PairTokenizer(2000), random.integer(0, 40000),
                            random.integer(0, 3) > 0))
            break;
        ++kills;
        gone_on += fs::exists(again.out / "prepare.partial/journal.json");
        again.threads = static_cast<int>(random.integer(1, 3));
    }
    const bool unfinished =
        slurp(again.out / "prepare.partial/journal.json").find("\"publishing\": false") !=
        std::string::npos;
    int64_t resumed = 0;
    again.on_progress = [&](const PrepareProgress& progress) {
        resumed = progress.resumed_text_bytes;
    };
    const PrepareResult result = prepare(again, PairTokenizer());
    CHECK(kills > 2);
    CHECK(gone_on > 0);
    CHECK((resumed > 0 || !unfinished));
    CHECK((bytes("killed") == bytes("whole")));
    CHECK(result.counts == whole.counts);
    CHECK(std::distance(fs::directory_iterator(again.out), {}) == 4);
}

TEST_CASE_METHOD(Corpus, "prepare: stopped every few rounds of work, the result is the same") {
    SECTION("many documents") {
        add_lines(400, 60000);
        add_text(9 << 20);
    }
    SECTION("one") {
        add_lines(1, 15 << 20, 15 << 20);
    }
    prepare(options(1, "whole"), PairTokenizer());
    PrepareOptions again = options(1, "stopped");
    again.journal_seconds = 0;
    int64_t attempts = 0, resumed = 0;
    for (bool done = false; !done; ++attempts) {
        int64_t rounds = 1 + attempts;
        again.on_progress = [&](const PrepareProgress& progress) {
            resumed += progress.resumed_text_bytes > 0;
            if (attempts < 20 && rounds-- == 0) fail(ExitCode::kIo, "stopped");
        };
        done = thrown_by([&] { prepare(again, PairTokenizer()); }).message.empty();
    }
    CHECK(attempts > 1);
    CHECK(resumed > 0);
    CHECK((bytes("stopped") == bytes("whole")));
}

TEST_CASE_METHOD(Corpus, "prepare: killed at any moment of a short run, the result is the same") {
    add_lines(20, 50);
    prepare(options(1, "whole"), PairTokenizer(0, "{}"));
    PrepareOptions again = options(1, "killed");
    again.journal_seconds = 0;
    int kills = 0;
    for (int i = 0; i < 30; ++i) {
        kills += !killed_too_late(again, PairTokenizer(0, "{}"), random.integer(0, 8000));
        if (random.integer(0, 2) > 0) continue;
        prepare(again, PairTokenizer(0, "{}"));
        REQUIRE((bytes("killed") == bytes("whole")));
        REQUIRE(slurp(again.out / "tokenizer.json") == "{}");
        REQUIRE(std::distance(fs::directory_iterator(again.out), {}) == 5);
        if (random.integer(0, 1) == 0) fs::remove_all(again.out);
    }
    CHECK(kills > 3);
}

TEST_CASE_METHOD(Corpus, "prepare: killed within a single document, the result is the same") {
    std::string text(13 << 20, 'x');
    for (size_t i = 0; i < text.size(); i += 11) text[i] = static_cast<char>('a' + i % 13);
    inputs = {file("one.jsonl", "{\"text\": \"" + text + "\"}\n")};
    PrepareOptions again = options(1, "whole");
    again.validation = 0.4;
    prepare(again, PairTokenizer());
    again.out = folder / "killed";
    again.journal_seconds = 0;
    for (int i = 0; i < 8; ++i)
        killed_too_late(again, PairTokenizer(500), random.integer(0, i % 2 == 0 ? 20000 : 250000),
                        i % 2 == 0);
    prepare(again, PairTokenizer());
    CHECK((bytes("killed") == bytes("whole")));
}

TEST_CASE_METHOD(Corpus, "prepare: what a killed one left of something else is not used") {
    add_lines(150, 60000);
    std::string line(40000, 'p'), lines;
    for (int i = 0; i < 150; ++i, documents.push_back(line))
        lines += "{\"text\":\"" + line + "\"}\n";
    inputs.insert(inputs.begin(), file("plain.jsonl", lines));
    std::rotate(documents.begin(), documents.begin() + 150, documents.end());
    PrepareOptions again = options(2, "out");
    again.journal_seconds = 0;
    const fs::path partial = again.out / "prepare.partial";
    REQUIRE(!killed_too_late(again, PairTokenizer(5000), random.integer(0, 20000), true));
    REQUIRE(fs::exists(partial / "journal.json"));
    std::string file_text;
    SECTION("an input has more") {
        documents.push_back("more");
        inputs.push_back(file("more.txt", "more"));
    }
    SECTION("an input of the same size was changed") {
        std::replace(lines.begin(), lines.end(), 'p', 'q');
        file("plain.jsonl", lines);
        std::fill(documents.begin(), documents.begin() + 150, std::string(40000, 'q'));
    }
    SECTION("another tokenizer") {
        file_text = "another";
    }
    SECTION("the journal was changed") {
        flip_bit(partial / "journal.json", static_cast<size_t>(random.integer(0, 300)),
                 static_cast<int>(random.integer(0, 7)));
    }
    SECTION("an array was cut") {
        const char* name = GENERATE("train.bin", "documents");
        fs::resize_file(partial / name, 3);
    }
    SECTION("an array is missing") {
        const char* name = GENERATE("train.bin", "documents", "chunks");
        fs::remove(partial / name);
    }
    prepare(options(2, "out"), PairTokenizer(0, file_text));
    check("out");
}

TEST_CASE_METHOD(Corpus, "prepare: a failure keeps what is done for the next attempt") {
    add_lines(400, 60000);
    const fs::path last = inputs.back();
    inputs.push_back(file("bad.jsonl", "{\"text\": 3}\n"));
    PrepareOptions again = options(2, "out");
    again.journal_seconds = 0;
    const Thrown thrown = thrown_by([&] { prepare(again, PairTokenizer()); });
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(fs::exists(again.out / "prepare.partial/journal.json"));
    CHECK(!fs::exists(again.out / "train.bin"));
    again.journal_seconds = 1000;  // nothing to keep: nothing stays
    inputs = {file("worse.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n")};
    CHECK(thrown_by([&] { prepare(options(1, "other"), PairTokenizer()); }).says("line 2"));
    CHECK(fs::is_empty(folder / "other"));
}

TEST_CASE_METHOD(Corpus, "prepare: a folder has one prepare at a time") {
    add_lines(3, 10);
    fs::create_directories(folder / "out/prepare.partial");
    const int other = ::open((folder / "out/prepare.partial").c_str(), O_RDONLY);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    const Thrown thrown = thrown_by([&] { prepare(options(1, "out"), PairTokenizer()); });
    CHECK(thrown.code == ExitCode::kCannotWrite);
    CHECK(thrown.says("another prepare"));
    ::close(other);
    prepare(options(1, "out"), PairTokenizer());
    check("out");
}

TEST_CASE_METHOD(Corpus, "prepare: one line of JSON is cut as one text file is") {
    std::string text;
    while (text.size() < 100000) text += random.integer(0, 1) == 0 ? "x" : "\xe2\x82\xac";
    inputs = {file("one.txt", text)};
    prepare(options(2, "text"), PairTokenizer());
    inputs = {file("one.jsonl", "{\"text\": \"\"}\n{\"text\": \"" + text + "\"}\n")};
    const PrepareResult result = prepare(options(1, "line"), PairTokenizer());
    CHECK((bytes("line") == bytes("text")));
    CHECK(result.train_documents == 1);
    CHECK(result.validation_documents == 1);
    const std::string tail = [&] {
        const TokenFile tokens(folder / "line/validation.bin");
        std::vector<int32_t> ids(static_cast<size_t>(tokens.tokens()));
        tokens.read(0, tokens.tokens(), ids.data());
        return PairTokenizer().decode(ids);
    }();
    CHECK(text.ends_with(tail));
    CHECK(std::abs(std::ssize(tail) - std::ssize(text) / 10) <= 4);
}

TEST_CASE_METHOD(Corpus, "prepare: no text at all, an output among the inputs") {
    const auto refused = [&] {
        return thrown_by([&] { prepare(options(1, "out"), PairTokenizer()); });
    };
    inputs = {file("a.jsonl", "{\"text\": \"\"}\n"), file("b.txt.gz", gzip(""))};
    CHECK(refused().code == ExitCode::kCorrupt);
    inputs = {folder / "b.txt.gz"};
    CHECK(refused().code == ExitCode::kCorrupt);
    CHECK(fs::is_empty(folder / "out"));
    inputs = {folder.path()};
    CHECK(refused().code == ExitCode::kUsage);
    CHECK(refused().says("within the input"));
}

TEST_CASE_METHOD(Corpus, "prepare: a tokenizer.json of somebody else stays") {
    add_lines(5, 10);
    const PairTokenizer first(0, "first"), second(0, "second"), none;
    prepare(options(1, "out"), first);
    CHECK(slurp(folder / "out/tokenizer.json") == "first");
    prepare(options(1, "out"), first);
    for (const Tokenizer* other : {&second, &none}) {
        const Thrown thrown = thrown_by([&] { prepare(options(1, "out"), *other); });
        CHECK(thrown.code == ExitCode::kCannotWrite);
        CHECK(thrown.says("another tokenizer"));
    }
    CHECK(slurp(folder / "out/tokenizer.json") == "first");
}
