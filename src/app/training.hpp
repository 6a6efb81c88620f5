#pragma once
// What `train` and `sweep` share.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "comm/world.hpp"
#include "config/run_config.hpp"
#include "train/stop_signals.hpp"

namespace polytrain {

// Runs `work` as one of the ranks of the launch; signals are caught from before its threads begin.
void run_launched(const std::function<void(World&, const StopSignals&)>& work);

// A config of the command line, shrunk where that is asked for (config/shrink.hpp).
struct ConfigChoice {
    std::string path;
    std::vector<std::string> overrides;
    bool shrink = false;
};
RunConfig load_choice(const ConfigChoice& choice, int ranks);

// Trains as one of the world's ranks, on the device that the config asks for, and lets rank 0 print
// where the run ended.
void train_run(RunConfig config, const std::filesystem::path& run_folder, bool resume, World& world,
               const StopSignals& signals);

}  // namespace polytrain
