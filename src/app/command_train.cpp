#include "app/command_train.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "comm/run_on_rank.hpp"
#include "config/load.hpp"
#include "core/log.hpp"
#include "train/train.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string config, out, resume = "none";
    std::vector<std::string> overrides;
};

void run_rank(const Arguments& arguments, World& world, const StopSignals& signals) {
    RunConfig config = load_config(arguments.config, arguments.overrides, activation_catalog());
    TrainOptions options;
    options.signals = &signals;
    options.world = &world;
    options.resume = arguments.resume == "auto";
    options.run_folder = arguments.out.empty() ? std::filesystem::path("runs") /
                                                     std::filesystem::path(arguments.config).stem()
                                               : std::filesystem::path(arguments.out);
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

void run(const Arguments& arguments) {
    StopSignals signals;  // before any thread is made
    const std::unique_ptr<World> world = World::open();
    run_on_rank(
        *world, [&] { run_rank(arguments, *world, signals); }, [&] { return signals.give_up(); });
}

}  // namespace

void add_train_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("train", "Train a model as a config says");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("CONFIG", arguments->config, "The run's JSON config")->required();
    command->add_option("--out", arguments->out,
                        "Run folder for config.json, metrics.jsonl and checkpoints/ (default: "
                        "runs/NAME of the config)");
    command->add_option("--set", arguments->overrides, "Override a key: --set optimizer.lr=0.001")
        ->allow_extra_args(false);
    command
        ->add_option("--resume", arguments->resume,
                     "auto: go on from the newest checkpoint in the run folder that verifies")
        ->check(CLI::IsMember({"auto", "none"}));
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
