#include "train/run_folder.hpp"

#include <vector>

#include "checkpoint/folder.hpp"
#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "train/ranks.hpp"

namespace polytrain {
namespace {

// What a checkpoint can't be resumed without: its tensors, what they compute and its data order
// hang on them. Weights of losses don't.
bool must_match(const std::string& difference) {
    for (const char* key : {"model.z_loss:", "model.moe.balance:", "model.moe.z_loss:",
                            "model.moe.loss_form:", "model.moe.scope:", "model.moe.bias_rate:"})
        if (difference.starts_with(key)) return false;
    return difference.starts_with("model.") || difference.starts_with("seed:");
}

void compare_configs(const Checkpoint& checkpoint, const RunConfig& config,
                     const ActivationCatalog& catalog) {
    const RunConfig saved = parse_config_text(checkpoint.state().config_json,
                                              (checkpoint.folder() / kManifestName).string(),
                                              catalog, ConfigUse::kModel);
    std::string refused;
    for (const std::string& line : config_differences(saved, config, catalog)) {
        if (must_match(line))
            refused += "\n  " + line;
        else
            log::info("changed since the checkpoint: {}", line);
    }
    if (!refused.empty())
        fail(ExitCode::kBadConfig,
             "{}: this checkpoint is of another model or seed:{}\nTake the run's own config, or "
             "another --out for a new run",
             checkpoint.folder().string(), refused);
}

// What killed calls of write_file_atomic() left.
void remove_unfinished_files(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        for (const char* written : {"config.json", "metrics.jsonl", kTokenizerName, "ranks"})
            if (name.starts_with(std::string(written) + ".tmp-")) {
                std::filesystem::remove(entry.path());
                log::info("removed {}", name);
            }
    }
}

}  // namespace

OpenedRun open_run_folder(const std::filesystem::path& folder, bool resume, const RunConfig& config,
                          const ActivationCatalog& catalog, const Grid& grid) {
    OpenedRun run;
    if (grid.layout().rank == 0) {
        make_folders(folder);
        run.lock = FileLock(folder / "train.lock");
        const bool has_run = std::filesystem::exists(folder / "metrics.jsonl") ||
                             std::filesystem::exists(folder / "checkpoints");
        if (has_run && !resume)
            fail(ExitCode::kCannotWrite,
                 "{}: there is a run in this folder. Go on with it by --resume auto, or give "
                 "another --out",
                 folder.string());
    }
    check_shared_folder(grid, folder);
    if (!resume) return run;
    run.checkpoint = newest_checkpoint(folder, run.passed_over, grid.disks());
    const bool any_committed = log_passed_over(run.passed_over);
    if (run.checkpoint) {
        compare_configs(*run.checkpoint, config, catalog);
    } else if (any_committed) {
        fail(ExitCode::kCorrupt,
             "{}: no checkpoint of this run verifies (see above). Restore one, or start anew with "
             "another --out; nothing was changed here",
             folder.string());
    } else {
        log::info("no checkpoint in {}: starting from step 0", folder.string());
    }
    return run;
}

void begin_run(const std::filesystem::path& folder, const std::vector<PassedOver>& passed_over,
               const std::string& config_json, const std::string& tokenizer_text) {
    make_folders(folder / "checkpoints");
    for (const std::string& name : remove_leftovers(folder)) log::info("removed {}", name);
    remove_unfinished_files(folder);
    for (const PassedOver& other : passed_over) {
        if (!step_of(other.name).has_value()) continue;
        const std::filesystem::path from = folder / "checkpoints" / other.name;
        std::filesystem::path to = from;
        to += ".damaged";
        for (int i = 2; std::filesystem::exists(to); ++i) {
            to = from;
            to += fmt::format(".damaged-{}", i);
        }
        rename_durable(from, to);
        log::info("{} is kept as {}", other.name, to.filename().string());
    }
    if (tokenizer_text.empty())
        std::filesystem::remove(folder / kTokenizerName);
    else
        write_file_atomic(folder / kTokenizerName, tokenizer_text);
    write_file_atomic(folder / "config.json", config_json);
}

}  // namespace polytrain
