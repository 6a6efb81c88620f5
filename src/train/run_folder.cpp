#include "train/run_folder.hpp"

#include <vector>

#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

// What a checkpoint can't be resumed without: its tensors and its data order hang on them.
bool must_match(const std::string& difference) {
    return difference.starts_with("model.") || difference.starts_with("seed:");
}

void compare_configs(const Checkpoint& checkpoint, const RunConfig& config,
                     const ActivationCatalog& catalog) {
    const RunConfig saved = parse_config_text(
        checkpoint.state().config_json, (checkpoint.folder() / "manifest.json").string(), catalog);
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

}  // namespace

std::optional<Checkpoint> open_run_folder(const std::filesystem::path& folder, bool resume,
                                          const RunConfig& config,
                                          const ActivationCatalog& catalog) {
    make_folders(folder);
    const bool has_run = std::filesystem::exists(folder / "metrics.jsonl") ||
                         std::filesystem::exists(folder / "checkpoints");
    if (has_run && !resume)
        fail(ExitCode::kCannotWrite,
             "{}: there is a run in this folder. Go on with it by --resume auto, or give another "
             "--out",
             folder.string());
    std::optional<Checkpoint> checkpoint;
    if (resume) {
        std::vector<PassedOver> passed_over;
        checkpoint = newest_checkpoint(folder, passed_over);
        for (const PassedOver& other : passed_over)
            log::warn("passed over {}: {}", other.name, other.reason);
        if (checkpoint)
            compare_configs(*checkpoint, config, catalog);
        else
            log::info("no checkpoint in {}: starting from step 0", folder.string());
    }
    make_folders(folder / "checkpoints");
    write_file_atomic(folder / "config.json", emit_config(config, catalog));
    return checkpoint;
}

}  // namespace polytrain
