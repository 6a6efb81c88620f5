// Signals, the clock and the lock, as a user or a cluster's scheduler meets them.

#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/folder.hpp"
#include "core/clock.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// A run without end, in the folder "run".
struct EndlessRun {
    TempFolder folder;
    fs::path run = folder / "run";
    nlohmann::json config = nlohmann::json::parse(R"({
        "seed": 5, "threads": 1, "data": {"synthetic": true},
        "model": {"d_model": 16, "layers": 1, "heads": 2, "context": 16, "vocab_size": 29},
        "train": {"steps": 100000000, "batch": 4, "micro_batch": 2, "eval_sequences": 4},
        "optimizer": {"schedule": {"kind": "constant"}}})");

    std::vector<std::string> command(const std::vector<std::string>& more = {}) const {
        spit(folder / "run.json", config.dump());
        std::vector<std::string> all{"train", folder / "run.json", "--out", run};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    std::vector<nlohmann::json> metrics() const {
        std::vector<nlohmann::json> lines;
        std::ifstream in(run / "metrics.jsonl");
        for (std::string line; std::getline(in, line);) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (json.is_object()) lines.push_back(json);
        }
        return lines;
    }
    std::function<bool()> steps_done(size_t count) const {
        return [this, count] { return metrics().size() >= count; };
    }
    int64_t newest() const {
        std::vector<PassedOver> passed_over;
        const auto checkpoint = newest_checkpoint(run, passed_over);
        CHECK(passed_over.empty());
        return checkpoint ? checkpoint->state().step : -1;
    }
    std::string weights(int64_t step) const {
        return slurp(checkpoint_folder(run, step) / "weights.safetensors");
    }
};

}  // namespace

TEST_CASE("stop: SIGTERM, SIGINT and SIGUSR1 end a step, save, exit 75, and resume goes on") {
    const std::pair<int, const char*> signals[] = {
        {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}};
    for (const auto& [signal, name] : signals) {
        INFO(name);
        EndlessRun endless;
        ChildProgram child(endless.command());
        REQUIRE(child.wait_until(endless.steps_done(3)));
        child.send(signal);
        const ProgramResult result = child.wait();
        INFO(result.err);
        CHECK(result.exit_code == 75);
        const auto metrics = endless.metrics();
        const auto step = metrics.back()["step"].get<int64_t>();
        CHECK_THAT(result.err, ContainsSubstring(std::string(name) + ": stopped after step " +
                                                 std::to_string(step) + ", saved as " +
                                                 checkpoint_folder(endless.run, step).string()));
        CHECK(result.err.find("error") == std::string::npos);
        CHECK(endless.newest() == step);

        const std::string last = std::to_string(step + 3);
        CHECK(ChildProgram(endless.command({"--resume", "auto", "--set", "train.steps=" + last}))
                  .wait()
                  .exit_code == 0);
        const std::string resumed = endless.weights(step + 3);
        fs::remove_all(endless.run);
        CHECK(ChildProgram(endless.command({"--set", "train.steps=" + last})).wait().exit_code ==
              0);
        CHECK((resumed == endless.weights(step + 3)));
    }
}

TEST_CASE("stop: a second signal of any kind ends the process at once") {
    EndlessRun endless;  // steps of some tenths of a second
    endless.config["model"] = {
        {"d_model", 256}, {"layers", 4}, {"heads", 4}, {"context", 256}, {"vocab_size", 512}};
    endless.config["train"]["batch"] = 8;
    ChildProgram child(endless.command());
    REQUIRE(child.wait_until(endless.steps_done(1)));
    child.send(SIGTERM);
    child.send(SIGINT);
    const Stopwatch watch;
    const int code = child.wait().exit_code;
    CHECK((code == 128 + SIGINT || code == 128 + SIGTERM));
    CHECK(watch.seconds() < 2);
    CHECK(endless.newest() == -1);
}

TEST_CASE("stop: a signal ends an evaluation early") {
    EndlessRun endless;
    // Steps of a sequence, and evaluations of all that are held out: some seconds.
    endless.config["model"] = {
        {"d_model", 128}, {"layers", 4}, {"heads", 4}, {"context", 1024}, {"vocab_size", 512}};
    endless.config["train"] = {{"steps", 100}, {"batch", 1}, {"micro_batch", 1}, {"eval_every", 2}};
    ChildProgram child(endless.command());
    REQUIRE(child.wait_until(endless.steps_done(1)));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    child.send(SIGTERM);
    const ProgramResult result = child.wait();
    INFO(result.err);
    CHECK(result.exit_code == 75);
    CHECK(endless.newest() == 2);
    CHECK(endless.metrics().size() == 2);
    CHECK_FALSE(endless.metrics().back().contains("val_loss"));
}

TEST_CASE("stop: train.seconds ends a launch in time; 75 while steps are left, else 0") {
    EndlessRun endless;
    endless.config["train"]["seconds"] = 1.0;
    const Stopwatch watch;
    const ProgramResult result = ChildProgram(endless.command()).wait();
    INFO(result.err);
    CHECK(result.exit_code == 75);
    CHECK(watch.seconds() < 3);
    CHECK_THAT(result.err, ContainsSubstring("train.seconds, 1, are over: stopped after step "));
    CHECK(endless.newest() == endless.metrics().back()["step"].get<int64_t>());
    fs::remove_all(endless.run);
    endless.config["train"]["steps"] = 0;
    CHECK(ChildProgram(endless.command()).wait().exit_code == 0);
    CHECK(endless.metrics().back().contains("val_loss"));
}

TEST_CASE("stop: a second process in the folder is locked out and told by whom") {
    EndlessRun endless;
    ChildProgram child(endless.command());
    REQUIRE(child.wait_until(endless.steps_done(1)));
    const ProgramResult second =
        ChildProgram(endless.command({"--resume", "auto", "--set", "train.seconds=5"})).wait();
    INFO(second.err);
    CHECK(second.exit_code == 73);
    CHECK_THAT(second.err, ContainsSubstring("process " + std::to_string(child.id()) + " on "));
    child.send(SIGTERM);
    CHECK(child.wait().exit_code == 75);
    const ProgramResult third =
        ChildProgram(endless.command({"--resume", "auto", "--set", "train.seconds=0.1"})).wait();
    CHECK(third.exit_code == 75);  // the lock went with its process
}

TEST_CASE("stop: metrics that can't be written stop nothing and are told once") {
    EndlessRun endless;
    endless.config["train"]["steps"] = 5;
    fs::create_directories(endless.run);
    fs::create_symlink("/dev/full", endless.run / "metrics.jsonl");
    const ProgramResult result = ChildProgram(endless.command({"--resume", "auto"})).wait();
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK(endless.newest() == 5);
    const std::string warning = "metrics.jsonl: cannot write";
    const size_t first = result.err.find(warning);
    CHECK(first != std::string::npos);
    CHECK(result.err.find(warning, first + 1) == std::string::npos);
    const std::string run = (endless.folder / "other").string();
    CHECK(run_program("train " + (endless.folder / "run.json").string() + " --out " + run +
                      " > /dev/null 2> /dev/full; exit $?; true")
              .exit_code == 0);
    CHECK(fs::exists(run + "/checkpoints/step-5/manifest.json"));
}
