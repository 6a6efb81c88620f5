#include "app/trained_model.hpp"

#include <utility>

#include "app/runtime.hpp"
#include "config/load.hpp"
#include "core/error.hpp"
#include "train/run_folder.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

Checkpoint open_checkpoint(const fs::path& folder) {
    if (fs::exists(folder / kManifestName)) return Checkpoint::open(folder);
    std::vector<PassedOver> passed_over;
    auto checkpoint = newest_checkpoint(folder, passed_over);
    const bool any_committed = log_passed_over(passed_over);
    if (!checkpoint && any_committed)
        fail(ExitCode::kCorrupt, "{}: no checkpoint of this run verifies (see above)",
             folder.string());
    if (!checkpoint)
        fail(ExitCode::kInputMissing,
             "{}: no checkpoint here; name a run's folder, or one of its checkpoints/step-N",
             folder.string());
    return std::move(*checkpoint);
}

// The copy that train left in the run's folder; without one, what the config names.
DataTokenizer tokenizer_of(const fs::path& run, const RunConfig& config) {
    const fs::path copy = run / kTokenizerName;
    return fs::exists(copy) ? DataTokenizer(copy.string()) : DataTokenizer(config.data);
}

}  // namespace

TrainedModel open_trained_model(const fs::path& folder) {
    Checkpoint checkpoint = open_checkpoint(folder);
    RunConfig config = parse_config_text(checkpoint.state().config_json,
                                         (checkpoint.folder() / kManifestName).string(),
                                         activation_catalog(), ConfigUse::kModel);
    // RUN/checkpoints/step-N
    const fs::path run =
        fs::absolute(checkpoint.folder() / "").lexically_normal().parent_path().parent_path();
    DataTokenizer tokenizer = tokenizer_of(run.parent_path(), config);
    return {std::move(checkpoint), std::move(config), std::move(tokenizer)};
}

}  // namespace polytrain
