#pragma once

#include <filesystem>

#include "comm/world.hpp"
#include "config/run_config.hpp"
#include "ops/op_table.hpp"
#include "train/stop_signals.hpp"

namespace polytrain {

struct TrainOptions {
    std::filesystem::path run_folder;
    // Go on from the newest checkpoint that verifies, or start when there is none. Without it a
    // run folder that holds a run is refused (exit 73): nothing is written over.
    bool resume = false;
    const StopSignals* signals = nullptr;  // asked between steps; absent: no signal is looked at
    World* world = nullptr;  // all ranks of the launch, each of which trains; absent: one
};

struct TrainResult {
    int64_t step = 0, tokens = 0;  // of the whole run
    std::filesystem::path run_folder;
};

// Trains to the end of the config's limits. The run folder gets config.json (resolved),
// metrics.jsonl and checkpoints/step-N; the last step is always evaluated and saved. Checkpoints
// are written beside the steps that follow them; one that can't be written ends the run at the next
// step (exit 73, 74), unless train.checkpoint_failure allows it.
//
// A loss, gradient, validation loss or weight that isn't finite ends the run with exit 76, and what
// would hold it is not saved. A signal to any rank, and train.seconds before the run's steps or
// tokens are done, end it after a step with a save and exit 75.
//
// Ranks share out each step's micro-batches; the run folder must be one that all of them see. Rank
// 0 writes what there is one of. Ranks that were told different things: exit 78 before the first
// step.
TrainResult train(const RunConfig& config, const TrainOptions& options, Backend& backend,
                  const OpTable& ops);

}  // namespace polytrain
