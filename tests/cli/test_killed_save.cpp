// A process killed at each system call by which a save changes the disk. strace kills it: where
// there is none, the tests say that they skip.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/folder.hpp"
#include "checkpoint/save.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/sanitized.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// By these a save, or the program around it, changes what is on the disk.
constexpr const char* kCalls[] = {"mkdir",    "openat",   "fallocate", "ftruncate", "write",
                                  "pwrite64", "fsync",    "close",     "rename",    "renameat",
                                  "unlink",   "unlinkat", "rmdir"};
constexpr const char* kTinyRun = R"({
        "seed": 5, "threads": 1, "data": {"synthetic": true},
        "model": {"d_model": 8, "layers": 1, "heads": 1, "context": 8, "vocab_size": 13,
                  "feed_forward": {"hidden": 8}},
        "train": {"steps": 6, "batch": 2, "eval_sequences": 2, "checkpoint_every": 2,
                  "keep_last": 1, "spike_guard": {"grad_z": 1, "window": 3}},
        "optimizer": {"schedule": {"kind": "constant"}}})";
constexpr const char* kSaveOnce = "POLYTRAIN_TEST_SAVE_ONCE";

bool has_strace(const fs::path& scratch) {
    if (kSanitized) {
        WARN("SKIPPED: a sanitizer's own calls would be killed at by the hundred");
        return false;
    }
    const std::string command =
        "strace -o '" + (scratch / "trace").string() + "' true > /dev/null 2>&1";
    if (std::system(command.c_str()) == 0) return true;
    WARN("SKIPPED: strace is missing or may not trace: kills during a save are untested");
    return false;
}

// Runs a shell command with every thread killed before its k-th such call. False where the command
// came to its end.
bool killed_at(const std::string& call, int k, const std::string& environment,
               const std::string& command) {
    const std::string line = environment + " strace -f -qq -o /dev/null -e trace=" + call +
                             " -e inject=" + call + ":signal=KILL:when=" + std::to_string(k) + " " +
                             command + " > /dev/null 2>&1 < /dev/null";
    const int status = std::system(("exec sh -c '" + line + "; exit $?'").c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    REQUIRE((code == 0 || code == 137));
    return code != 0;
}

// Saves step 2 beside step 1 and lets retention remove step 1, on the thread that is killed.
void save_once(const fs::path& run) {
    std::vector<float> values(1000, 2.0F);
    TrainState state;
    state.step = 2;
    const FileContents files[] = {
        {"weights.safetensors", {{"w", Tensor{values.data(), Shape{1000}, DType::kF32, {}}}}}};
    save_checkpoint(run, state, files);
    remove_old_checkpoints(run, {.keep_last = 1});
}

// What is there under a committed name is whole, and all else is of a kill.
void check_names(const fs::path& run) {
    for (const std::string& name : names_in_checkpoints(run)) {
        INFO(name);
        if (step_of(name))
            REQUIRE_NOTHROW(Checkpoint::open(run / "checkpoints" / name));
        else
            REQUIRE(is_leftover(name));
    }
}

void copy_afresh(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
}

}  // namespace

// No test by itself: the other tests run it under strace with a run folder in the environment.
TEST_CASE("killed save, the process that strace kills", "[.save_once]") {
    if (const char* run = std::getenv(kSaveOnce)) save_once(run);
}

TEST_CASE("killed save: at each call there is the old checkpoint or the new one, whole") {
    const TempFolder folder;
    if (!has_strace(folder.path())) return;
    TrainState state;
    state.step = 1;
    save_checkpoint(folder / "base", state, {});
    const std::string own_path = fs::read_symlink("/proc/self/exe");
    int kills = 0, old_ones = 0, new_ones = 0;
    for (const char* call : kCalls) {
        for (int k = 1;; ++k) {
            INFO(call << " " << k);
            const fs::path run = folder / "run";
            copy_afresh(folder / "base", run);
            const bool killed = killed_at(call, k, std::string(kSaveOnce) + "=" + run.string(),
                                          own_path + " \"[.save_once]\"");
            std::vector<PassedOver> passed_over;
            const auto newest = newest_checkpoint(run, passed_over);
            REQUIRE(newest.has_value());
            const int64_t step = newest->state().step;
            REQUIRE((step == 2 || (killed && step == 1)));
            check_names(run);
            remove_leftovers(run);
            if (!killed) break;
            ++kills;
            ++(step == 1 ? old_ones : new_ones);
        }
    }
    WARN(kills << " kills: " << old_ones << " left the old checkpoint, " << new_ones << " the new");
    CHECK(old_ones > 10);
    CHECK(new_ones > 3);
}

TEST_CASE("killed save: a run killed at each call goes on to the same bits", "[slow]") {
    const TempFolder folder;
    if (!has_strace(folder.path())) return;
    spit(folder / "run.json", kTinyRun);
    const auto train = [&](const fs::path& run, const std::string& more) {
        return "train " + (folder / "run.json").string() + " --out " + run.string() + " " + more;
    };
    REQUIRE(run_program(train(folder / "whole", "")).exit_code == 0);
    REQUIRE(run_program(train(folder / "base", "--set train.steps=2")).exit_code == 0);
    const std::string whole =
        slurp(checkpoint_folder(folder / "whole", 6) / "optimizer.safetensors");
    int kills = 0;
    for (const char* call : kCalls) {
        for (int k = 1;; ++k) {
            INFO(call << " " << k);
            const fs::path run = folder / "run";
            copy_afresh(folder / "base", run);
            const bool killed =
                killed_at(call, k, "", POLYTRAIN_PROGRAM " " + train(run, "--resume auto"));
            std::vector<PassedOver> passed_over;
            const auto newest = newest_checkpoint(run, passed_over);
            REQUIRE(newest.has_value());
            check_names(run);
            if (!killed) break;
            ++kills;
            REQUIRE(run_program(train(run, "--resume auto")).exit_code == 0);
            REQUIRE((slurp(checkpoint_folder(run, 6) / "optimizer.safetensors") == whole));
            REQUIRE(names_in_checkpoints(run) == std::vector<std::string>{"step-6"});
        }
    }
    WARN(kills << " kills");
    CHECK(kills > 50);
}

TEST_CASE("failing calls of a save: the exit code of each, and nothing that was saved is lost",
          "[slow]") {
    const TempFolder folder;
    if (!has_strace(folder.path())) return;
    spit(folder / "run.json", kTinyRun);
    const auto train = [&](const fs::path& run, const std::string& more) {
        return "train " + (folder / "run.json").string() + " --out " + run.string() + " " + more;
    };
    REQUIRE(run_program(train(folder / "base", "--set train.steps=2")).exit_code == 0);
    struct Fault {
        const char *call, *error;
        int code;
        const char* says;
    };
    const Fault faults[] = {{"fsync", "EIO", 74, "fsync failed: Input/output error"},
                            {"fsync", "ENOSPC", 73, "fsync failed: No space left on device"},
                            {"fallocate", "EDQUOT", 73, "Disk quota exceeded"},
                            {"mkdir", "EROFS", 73, "Read-only file system"},
                            {"rename", "EACCES", 73, "cannot rename"}};
    for (const Fault& fault : faults) {
        int failures = 0;
        for (int k = 1;; ++k) {
            INFO(fault.call << " " << fault.error << " " << k);
            const fs::path run = folder / "run";
            copy_afresh(folder / "base", run);
            const std::string command =
                "strace -f -qq -o /dev/null -e trace=" + std::string(fault.call) +
                " -e inject=" + fault.call + ":error=" + fault.error +
                ":when=" + std::to_string(k) + " " POLYTRAIN_PROGRAM " " +
                train(run, "--resume auto") + " > /dev/null 2> " + (folder / "err").string();
            const int status = std::system(command.c_str());
            REQUIRE(WIFEXITED(status));
            std::vector<PassedOver> passed_over;
            const auto newest = newest_checkpoint(run, passed_over);
            REQUIRE(newest.has_value());
            // What failed was the save's own call or one that hurts nobody (removing an old one).
            if (WEXITSTATUS(status) == 0) {
                REQUIRE(newest->state().step == 6);
                if (slurp(folder / "err").find(fault.says) == std::string::npos) break;
                continue;
            }
            ++failures;
            REQUIRE(WEXITSTATUS(status) == fault.code);
            REQUIRE_THAT(slurp(folder / "err"), ContainsSubstring(fault.says));
        }
        CHECK(failures > 0);
    }
}

TEST_CASE("failing calls of a save: interrupted ones go on; room that can't be reserved is used") {
    const TempFolder folder;
    if (!has_strace(folder.path())) return;
    const std::string own_path = fs::read_symlink("/proc/self/exe");
    for (const std::string fault : {"write:error=EINTR:when=1+2", "fallocate:error=EINTR:when=1",
                                    "fallocate:error=EOPNOTSUPP"}) {
        INFO(fault);
        const fs::path run = folder / "run";
        fs::remove_all(run);
        const std::string command =
            kSaveOnce + ("=" + run.string()) +
            " strace -f -qq -o /dev/null -e trace=" + fault.substr(0, fault.find(':')) +
            " -e inject=" + fault + " " + own_path + " \"[.save_once]\" > /dev/null 2>&1";
        std::system(command.c_str());
        CHECK_NOTHROW(Checkpoint::open(checkpoint_folder(run, 2)));
    }
}
