#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/folder.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/random.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

constexpr const char* kTinyRun = R"({
    "seed": 5, "threads": 1, "data": {"synthetic": true},
    "model": {"d_model": 8, "layers": 1, "heads": 1, "context": 8, "vocab_size": 13,
              "feed_forward": {"hidden": 8}},
    "train": {"steps": 4, "batch": 2, "eval_sequences": 2, "checkpoint_every": 2}})";

// Checkpoints of the steps 2 and 4 of a tiny run.
struct TrainedRun {
    TempFolder folder;
    fs::path run = folder / "run";

    TrainedRun() {
        spit(folder / "run.json", kTinyRun);
        REQUIRE(train("").exit_code == 0);
    }
    ProgramResult train(const std::string& more) const {
        return run_program("train " + (folder / "run.json").string() + " --out " + run.string() +
                           " " + more);
    }
    ProgramResult checkpoint(const std::string& command) const {
        return run_program("checkpoint " + command);
    }
    fs::path step(int64_t number) const { return checkpoint_folder(run, number); }
};

}  // namespace

TEST_CASE("checkpoint command: list, verify and inspect a run that is well") {
    const TrainedRun trained;
    const ProgramResult list = trained.checkpoint("list --json " + trained.run.string());
    REQUIRE(list.exit_code == 0);
    const auto lines = nlohmann::json::parse(list.out);
    REQUIRE(lines.size() == 2);
    CHECK(lines[1]["name"] == "step-4");
    CHECK(lines[1]["step"] == 4);
    CHECK(lines[1]["updates"] == 4);
    CHECK(lines[1]["tokens"] == 4 * 2 * 8);
    CHECK(lines[1]["program"] == POLYTRAIN_VERSION);
    CHECK(lines[1]["bytes"] == fs::file_size(trained.step(4) / "weights.safetensors") +
                                   fs::file_size(trained.step(4) / "optimizer.safetensors"));
    const std::string text = trained.checkpoint("list " + trained.run.string()).out;
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);

    const ProgramResult verified = trained.checkpoint("verify " + trained.run.string());
    CHECK(verified.exit_code == 0);
    CHECK_THAT(verified.out, ContainsSubstring("step-2: whole, 30 tensors") &&
                                 ContainsSubstring("step-4: whole, 30 tensors"));
    CHECK(trained.checkpoint("verify " + trained.step(2).string()).exit_code == 0);

    const ProgramResult inspected =
        trained.checkpoint("inspect --json " + trained.step(4).string());
    REQUIRE(inspected.exit_code == 0);
    const auto json = nlohmann::json::parse(inspected.out);
    CHECK(json["next_sample"] == 8);
    REQUIRE(json["tensors"].size() == 30);
    const auto& embedding = json["tensors"][0];
    CHECK(embedding["name"] == "embedding.table");
    CHECK(embedding["dtype"] == "f32");
    CHECK(embedding["shape"] == nlohmann::json{13, 8});
    CHECK(embedding["rms"].get<double>() == Approx(0.02).epsilon(0.5));
    CHECK_THAT(trained.checkpoint("inspect " + trained.step(4).string()).out,
               ContainsSubstring("layers.0.attention.qkv.m") && ContainsSubstring("[24,8]"));
}

TEST_CASE("checkpoint command: damage is exit 65 with file and tensor; the others are reported") {
    const TrainedRun trained;
    const fs::path file = trained.step(4) / "weights.safetensors";
    flip_bit(file, fs::file_size(file) - 1, 3);
    const ProgramResult verified = trained.checkpoint("verify " + trained.run.string());
    CHECK(verified.exit_code == 65);
    CHECK_THAT(verified.out, ContainsSubstring("step-2: whole"));
    CHECK_THAT(verified.out,
               ContainsSubstring("step-4: DAMAGED: " + file.string() + ": tensor \""));
    CHECK_THAT(verified.err, ContainsSubstring("1 of 2 checkpoints"));
    CHECK(trained.checkpoint("inspect " + trained.step(4).string()).exit_code == 65);
    CHECK(trained.checkpoint("list " + trained.run.string()).exit_code == 0);  // manifests alone
    spit(trained.step(2) / "manifest.json", "{}");
    CHECK_THAT(trained.checkpoint("list " + trained.run.string()).out,
               ContainsSubstring("has no seal"));

    CHECK(trained.checkpoint("verify " + (trained.folder / "none").string()).exit_code == 66);
    CHECK(trained.checkpoint("verify " + trained.folder.path().string()).exit_code == 66);
    CHECK(trained.checkpoint("inspect " + trained.run.string()).exit_code == 66);
    CHECK(trained.checkpoint("list").exit_code == 2);
    CHECK(run_program("checkpoint").exit_code == 2);
}

TEST_CASE("checkpoint command: any flipped bit of a checkpoint is found", "[slow]") {
    const TrainedRun trained;
    for (const char* name : {"manifest.json", "weights.safetensors", "optimizer.safetensors"}) {
        const fs::path path = trained.step(4) / name;
        int missed = 0;
        const auto size = fs::file_size(path);
        for (size_t byte = 0; byte < size; ++byte)
            for (int bit = 0; bit < 8; ++bit) {
                flip_bit(path, byte, bit);
                const Thrown thrown = thrown_by([&] { Checkpoint::open(trained.step(4)); });
                missed += thrown.code != ExitCode::kCorrupt || !thrown.says(path);
                flip_bit(path, byte, bit);
            }
        CHECK(missed == 0);
        WARN(name << ": " << size * 8 << " bits");
    }
    CHECK_NOTHROW(Checkpoint::open(trained.step(4)));
}

TEST_CASE("checkpoint command: after a random flipped bit a run resumes from the one before") {
    const TrainedRun trained;
    const std::string whole = slurp(trained.step(4) / "optimizer.safetensors");
    Random random("flipped bit");
    const char* const names[] = {"manifest.json", "weights.safetensors", "optimizer.safetensors"};
    const fs::path path = trained.step(4) / names[random.integer(0, 2)];
    const auto byte = random.integer(0, static_cast<int64_t>(fs::file_size(path)) - 1);
    INFO(path << " byte " << byte);
    flip_bit(path, static_cast<size_t>(byte), static_cast<int>(random.integer(0, 7)));
    const ProgramResult resumed = trained.train("--resume auto");
    CHECK(resumed.exit_code == 0);
    CHECK_THAT(resumed.err, ContainsSubstring("passed over step-4: " + path.string()));
    CHECK((slurp(trained.step(4) / "optimizer.safetensors") == whole));
}

TEST_CASE("program: folders that can't be made or written to, before any step") {
    const TrainedRun trained;
    for (const std::string out : {"/proc/nothing/run", "/dev/null/run"}) {
        const ProgramResult result =
            run_program("train " + (trained.folder / "run.json").string() + " --out " + out);
        CHECK(result.exit_code == 73);
        CHECK_THAT(result.err, ContainsSubstring(out));
        CHECK(result.err.find("step 1") == std::string::npos);
    }
}
