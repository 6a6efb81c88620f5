#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

fs::path write_config(const TempFolder& folder, const std::string& name, double lr) {
    const fs::path path = folder / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << nlohmann::json{
        {"model",
         {{"d_model", 16}, {"layers", 1}, {"heads", 2}, {"context", 8}, {"vocab_size", 32}}},
        {"data", {{"synthetic", true}}},
        {"train", {{"steps", 3}, {"batch", 2}}},
        {"optimizer", {{"lr", lr}}}};
    return path;
}

int64_t last_step_of(const fs::path& run) {
    std::ifstream in(run / "metrics.jsonl");
    int64_t step = 0;
    for (std::string line; std::getline(in, line);) step = nlohmann::json::parse(line)["step"];
    return step;
}

}  // namespace

TEST_CASE("sweep: every config with every value, and started again it goes on") {
    const TempFolder folder;
    const fs::path a = write_config(folder, "a.json", 0.01), b = write_config(folder, "b.json", 1);
    const fs::path out = folder / "out";
    const std::string line = "sweep '" + a.string() + "' '" + b.string() + "' --out '" +
                             out.string() + "' --vary seed=[1,2] --vary optimizer.beta1=[0.8]";
    REQUIRE(run_program(line).exit_code == 0);
    for (const char* name :
         {"a-seed=1-beta1=0.8", "b-seed=1-beta1=0.8", "a-seed=2-beta1=0.8", "b-seed=2-beta1=0.8"}) {
        INFO(name);
        CHECK(last_step_of(out / name) == 3);
        const auto config = nlohmann::json::parse(read_file(out / name / "config.json"));
        CHECK(config["seed"] == (std::string(name).find("seed=1") != std::string::npos ? 1 : 2));
        CHECK(config["optimizer"]["beta1"] == 0.8);
        CHECK(config["optimizer"]["lr"] == (name[0] == 'a' ? 0.01 : 1.0));
    }
    // What is there isn't trained again; what isn't, is.
    const fs::path kept = out / "a-seed=1-beta1=0.8", lost = out / "b-seed=2-beta1=0.8";
    const std::string before = read_file(kept / "metrics.jsonl");
    const std::string expected = read_file(lost / "checkpoints/step-3/manifest.json");
    fs::remove_all(lost);
    REQUIRE(run_program(line).exit_code == 0);
    CHECK(read_file(kept / "metrics.jsonl") == before);
    CHECK(last_step_of(lost) == 3);
    CHECK(read_file(lost / "checkpoints/step-3/manifest.json") == expected);
    // Another config doesn't become that of a run which it didn't train.
    const std::string trained_by = read_file(kept / "config.json");
    const ProgramResult other = run_program(line + " --set optimizer.weight_decay=0.5");
    REQUIRE(other.exit_code == 0);
    CHECK_THAT(other.err,
               ContainsSubstring("optimizer.weight_decay: ") && ContainsSubstring(" -> 0.5") &&
                   ContainsSubstring("a-seed=1-beta1=0.8: has ended, by another config"));
    CHECK(read_file(kept / "config.json") == trained_by);
}

TEST_CASE("sweep: mistakes are told before the first run begins") {
    const TempFolder folder;
    const fs::path a = write_config(folder, "a.json", 0.01),
                   other = write_config(folder, "other/a.json", 0.01);
    const fs::path out = folder / "out";
    const auto check = [&](const std::string& more, int code, const std::string& message) {
        const ProgramResult run =
            run_program("sweep '" + a.string() + "' " + more + " --out '" + out.string() + "'");
        INFO(run.err);
        CHECK(run.exit_code == code);
        CHECK_THAT(run.err, ContainsSubstring(message));
        CHECK_FALSE(fs::exists(out));
    };
    check("'" + other.string() + "'", 2, "would both train in");
    check("'" + (folder / "none.json").string() + "'", 66, "none.json");
    check("--vary seed", 2, "wants KEY=[VALUE,...]");
    check("--vary seed=3", 2, "wants KEY=[VALUE,...]");
    check("--vary seed=[]", 2, "wants KEY=[VALUE,...]");
    check("--vary 'train.recompute=[\"a/b\"]'", 2, "can't be a part of a folder's name");
    check("--vary sed=[1]", 78, "did you mean");
    check("--set train.steps=0 --set train.seconds=1", 78, "train.seconds alone ends it");
    check("--vary seed=[1,1]", 2, "would both train in");
}
