// Ranks that were told different things stop before the first step, saying what differs (exit 78),
// and layouts that can't be.

#include "dist/runs.hpp"
#include "support/damage.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// Two ranks, each started by its own words.
ProgramResult run_two(const std::string& first, const std::string& second) {
    return run_shell("timeout 60 " + mpirun_line(1) + " " + first + " : -np 1 " + second);
}

std::string train_words(const fs::path& config, const fs::path& out, const std::string& more = "") {
    return POLYTRAIN_PROGRAM " train '" + config.string() + "' --out '" + out.string() + "' " +
           more;
}

}  // namespace

TEST_CASE("ranks with different configs, seeds, programs: the first difference is named, once") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const fs::path config = write_config(folder, small_dense(), {}, "a");
    const fs::path out = folder / "run";
    const auto check = [&](const std::string& second, const std::string& message) {
        const ProgramResult run = run_two(train_words(config, out), second);
        INFO(run.err);
        CHECK(run.exit_code == 78);
        CHECK(occurrences(run.err, message) == 1);
        CHECK_FALSE(fs::exists(out / "metrics.jsonl"));
    };
    check(train_words(config, out, "--set optimizer.lr=0.5"),
          "rank 1 has another config than rank 0: optimizer.lr: 0.01 -> 0.5");
    check(train_words(config, out, "--set seed=4"),
          "rank 1 has another config than rank 0: seed: 3 -> 4");
    const fs::path other = folder / "polytrain";
    fs::copy(POLYTRAIN_PROGRAM, other);
    std::ofstream(other, std::ios::app) << "x";
    check("'" + other.string() + "' train '" + config.string() + "' --out '" + out.string() + "'",
          "rank 1 is another program than rank 0: ");
}

TEST_CASE("ranks with other data, or that don't see the run folder, are named") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    nlohmann::json config = small_dense();
    config["data"] = {{"train", {{{"path", "tokens.bin"}, {"format", "raw"}}}},
                      {"tokenizer", "bytes"}};
    config["model"]["vocab_size"] = 256;
    const fs::path path = write_config(folder, config, {}, "a");
    const auto in = [&](const char* name, const fs::path& out) {
        return "-wdir '" + (folder / name).string() + "' " + train_words(path, out);
    };
    for (const char* name : {"a", "b"}) fs::create_directories(folder / name);
    const auto write = [&](const char* name, char first) {
        std::string tokens(4000, '\0');
        for (size_t i = 0; i < tokens.size(); i += 2) tokens[i] = static_cast<char>(first + i % 50);
        spit(folder / name / "tokens.bin", tokens);
    };
    write("a", 1);
    write("b", 2);
    const ProgramResult other_data = run_two(in("a", folder / "run"), in("b", folder / "run"));
    INFO(other_data.err);
    CHECK(other_data.exit_code == 78);
    CHECK(occurrences(other_data.err, "rank 1 reads other training data than rank 0") == 1);
    write("b", 1);
    const ProgramResult blind = run_two(in("a", "run"), in("b", "run"));
    INFO(blind.err);
    CHECK(blind.exit_code == 73);
    CHECK(occurrences(blind.err, "can't see what rank 0 writes there") == 1);
    CHECK(occurrences(blind.err, "rank 1 on ") == 1);
}

TEST_CASE("numbers of ranks that can't share the work are refused") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const fs::path out = folder / "run";
    const auto refused = [&](const Spread& spread, const std::string& message) {
        const ProgramResult run =
            train_ranks(write_config(folder, small_moe(), spread, "config"), spread, out);
        INFO(run.err);
        CHECK(run.exit_code == 78);
        CHECK(occurrences(run.err, message) == 1);
    };
    refused({3, 1, 0},
            "train.batch: 16 sequences in micro-batches of 2 are 8, which 3 ranks can't "
            "share out evenly");
    refused({2, 4, 0}, "parallel.expert: 4 doesn't divide the 2 ranks of this launch");
}

TEST_CASE("one rank that fails ends all, and its message is the one there is") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const fs::path config = write_config(folder, small_dense(), {}, "a");
    const ProgramResult run = run_two(train_words(config, folder / "run"),
                                      train_words(folder / "missing.json", folder / "run"));
    INFO(run.err);
    CHECK(run.exit_code == 66);
    CHECK(occurrences(run.err, "[rank 1] error: ") == 1);
    CHECK(occurrences(run.err, "missing.json: cannot open") == 1);
    CHECK(occurrences(run.err, "[rank 0] error: ") == 0);
}
