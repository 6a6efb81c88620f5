#include "app/training.hpp"

#include <memory>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "comm/run_on_rank.hpp"
#include "config/load.hpp"
#include "core/log.hpp"
#include "train/train.hpp"

namespace polytrain {

void run_launched(const std::function<void(World&, const StopSignals&)>& work) {
    StopSignals signals;  // before any thread is made
    const std::unique_ptr<World> world = World::open();
    run_on_rank(
        *world, [&] { work(*world, signals); }, [&] { return signals.give_up(); });
}

RunConfig load_choice(const ConfigChoice& choice, int ranks) {
    return choice.shrink
               ? load_shrunk_config(choice.path, choice.overrides, activation_catalog(), ranks)
               : load_config(choice.path, choice.overrides, activation_catalog());
}

void train_run(RunConfig config, const std::filesystem::path& run_folder, bool resume, World& world,
               const StopSignals& signals) {
    TrainOptions options;
    options.signals = &signals;
    options.world = &world;
    options.resume = resume;
    options.run_folder = run_folder;
    const auto runtime = make_runtime(config, world.local_rank(), world.local_size());
    config.precision = training_precision(config, *runtime->backend);
    log::info("{}{}; run folder {}",
              world.size() > 1 ? fmt::format("{} ranks of: ", world.size()) : "",
              runtime->backend->description(), options.run_folder.string());
    const TrainResult result = train(config, options, *runtime->backend, runtime->ops);
    if (world.rank() == 0)
        print(fmt::format("{}: step {}, {} tokens\n", result.run_folder.string(), result.step,
                          result.tokens));
}

}  // namespace polytrain
