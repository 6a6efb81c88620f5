#include <cstdlib>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"
#include "support/text_files.hpp"

using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kMostMemory = int64_t{1200} << 20;
#else
constexpr int64_t kMostMemory = int64_t{200} << 20;
#endif

std::string quoted(const fs::path& path) {
    return "'" + path.string() + "'";
}

void shell(const std::string& command) {
    REQUIRE(std::system(command.c_str()) == 0);
}

std::string lines_of(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i)
        lines += "{\"id\": " + std::to_string(i) + ", \"body\": \"document " + std::to_string(i) +
                 std::string(1000, 'x') + "\"}\n";
    return lines;
}

}  // namespace

TEST_CASE("prepare: a folder of compressed JSON lines, and what it says of them") {
    const TempFolder folder;
    fs::create_directories(folder / "in/more");
    spit(folder / "in/b.jsonl.gz",
         gzip(lines_of(40) + "{\"body\": \"\"}\n{\"body\": \"\\ud800\"}\n"));
    spit(folder / "in/more/a.ndjson", lines_of(19));
    spit(folder / "in/c.json.bz2", bzip2(lines_of(19)));
    spit(folder / "in/notes.md", "not this one");
    const std::string command = "prepare --field body --out " + quoted(folder / "out") + " ";
    const ProgramResult result = run_program(command + "--threads 2 " + quoted(folder / "in"));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK_THAT(result.out, ContainsSubstring("train.bin: 75 documents, "));
    CHECK_THAT(result.out, ContainsSubstring("validation.bin: 4 documents, "));
    CHECK_THAT(result.out, ContainsSubstring("1 documents without text"));
    CHECK_THAT(result.out, ContainsSubstring("1 halves of surrogate pairs"));
    CHECK_THAT(result.err, ContainsSubstring("1 files in the input folders are of other kinds"));
    const std::string train = slurp(folder / "out/train.bin");
    CHECK(run_program(command + quoted(folder / "in"), "OMP_NUM_THREADS=1").exit_code == 0);
    CHECK((slurp(folder / "out/train.bin") == train));

    const auto fails = [&](const std::string& arguments, int code, const std::string& says) {
        const ProgramResult failed = run_program(arguments);
        CHECK(failed.exit_code == code);
        CHECK_THAT(failed.err, ContainsSubstring(says));
    };
    const std::string in = quoted(folder / "in");
    fails("prepare --out " + quoted(folder / "other") + " " + in, 65, "its keys are: id, body");
    fails(command + quoted(folder / "in/notes.md"), 2, "cannot be read");
    fails(command + in + " " + quoted(folder / "in/b.jsonl.gz"), 2, "given twice");
    fails(command + in + "/none.txt", 66, "none.txt");
    fails(command + in + " --threads -1", 2, "--threads");
    fails("prepare --out " + in + "/out --field body " + in, 2, "within the input");
}

TEST_CASE("prepare: characters become a tokenizer beside the tokens") {
    const TempFolder folder;
    spit(folder / "a.txt", "to be or not to be, caf\xc3\xa9");
    const std::string out = quoted(folder / "out");
    REQUIRE(run_program("prepare --tokenizer chars --validation 0 --out " + out + " " +
                        quoted(folder / "a.txt"))
                .exit_code == 0);
    const std::string ids = run_program("encode --tokenizer " + out + "/tokenizer.json --file " +
                                        quoted(folder / "a.txt"))
                                .out;
    CHECK(ids.starts_with("["));
    CHECK(std::count(ids.begin(), ids.end(), ',') + 1 ==
          static_cast<std::ptrdiff_t>(fs::file_size(folder / "out/train.bin") / 2));
    // Another text has other characters: what prepare made itself it replaces.
    spit(folder / "a.txt", "quite another text");
    CHECK(run_program("prepare --tokenizer chars --out " + out + " " + quoted(folder / "a.txt"))
              .exit_code == 0);
}

TEST_CASE("prepare: memory is bounded for 200 MB of text from a few hundred bytes") {
    const TempFolder folder;
    const std::string zeros = "head -c 200000000 /dev/zero";
    shell(zeros + " | gzip -1 > " + quoted(folder / "bomb.txt.gz"));
    shell("(printf '{\"text\":\"'; " + zeros + " | tr '\\0' x; printf '\"}\\n') | gzip -1 > " +
          quoted(folder / "bomb.jsonl.gz"));
    for (const char* name : {"bomb.txt.gz", "bomb.jsonl.gz"}) {
        const ProgramResult result =
            run_program("prepare --threads 2 --validation 0 --out " + quoted(folder / "out") + " " +
                        quoted(folder / name));
        INFO(result.err);
        CHECK(result.exit_code == 0);
        CHECK(result.peak_bytes < kMostMemory);
        CHECK(fs::file_size(folder / "out/train.bin") == 400000000);
    }
}

TEST_CASE("prepare: a line of 1 GB, and one of 1 GB that is cut short", "[slow]") {
    const TempFolder folder;
    shell("(printf '{\"text\":\"'; head -c 1000000000 /dev/zero | tr '\\0' x) > " +
          quoted(folder / "cut.jsonl"));
    shell("(cat " + quoted(folder / "cut.jsonl") + "; printf '\"}\\n') > " +
          quoted(folder / "line.jsonl"));
    const std::string command =
        "prepare --threads 2 --validation 0 --out " + quoted(folder / "out") + " ";
    const ProgramResult whole = run_program(command + quoted(folder / "line.jsonl"));
    CHECK(whole.exit_code == 0);
    CHECK(whole.peak_bytes < kMostMemory);
    CHECK(fs::file_size(folder / "out/train.bin") == 2000000000);
    const ProgramResult cut = run_program(command + quoted(folder / "cut.jsonl"));
    CHECK(cut.exit_code == 65);
    CHECK(cut.peak_bytes < kMostMemory);
    CHECK_THAT(cut.err, ContainsSubstring("line 1, byte 1000000009: the file ends within"));
}

TEST_CASE("prepare: no space left is exit 73, says where, and goes on when there is some") {
    const TempFolder folder;
    spit(folder / "a.jsonl", lines_of(3000));
    const std::string command = "prepare --field body --threads 2 --out " + quoted(folder / "out") +
                                " " + quoted(folder / "a.jsonl");
    // A limit on the size of files stands in for a full disk.
    const ProgramResult full = run_program(command, "trap '' XFSZ; ulimit -f 1000;");
    INFO(full.err);
    CHECK(full.exit_code == 73);
    CHECK_THAT(full.err, ContainsSubstring("train.bin: write failed"));
    CHECK(!fs::exists(folder / "out/train.bin"));
    CHECK(run_program(command).exit_code == 0);
}

TEST_CASE("prepare: killed and run again, the program gives the same files") {
    const TempFolder folder;
    spit(folder / "a.jsonl", lines_of(30000));
    const auto command = [&](const char* out) {
        return "prepare --field body --threads 2 --out " + quoted(folder / out) + " " +
               quoted(folder / "a.jsonl");
    };
    REQUIRE(run_program(command("whole")).exit_code == 0);
    // In the foreground timeout outlives the program, which has given back its lock then.
    for (const char* seconds : {"0.02", "0.05", "0.1"})
        run_program(command("killed"), std::string("timeout --foreground -s KILL ") + seconds);
    REQUIRE(run_program(command("killed")).exit_code == 0);
    for (const char* name : {"train.bin", "train.json", "validation.bin", "validation.json"})
        CHECK((slurp(folder.path() / "killed" / name) == slurp(folder.path() / "whole" / name)));
}
