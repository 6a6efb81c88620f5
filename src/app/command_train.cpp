#include "app/command_train.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "config/load.hpp"
#include "core/log.hpp"
#include "train/train.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string config, out, resume = "none";
    std::vector<std::string> overrides;
};

void run(const Arguments& arguments) {
    const StopSignals signals;                 // before any thread is made
    const std::unique_ptr<World> world = World::open();  // before anything that may fail
    const RunConfig config =
        load_config(arguments.config, arguments.overrides, activation_catalog());
    TrainOptions options;
    options.signals = &signals;
    options.world = world.get();
    options.resume = arguments.resume == "auto";
    options.run_folder = arguments.out.empty() ? std::filesystem::path("runs") /
                                                     std::filesystem::path(arguments.config).stem()
                                               : std::filesystem::path(arguments.out);
    log::info("device cpu, {} threads; run folder {}", thread_count(config.threads),
              options.run_folder.string());
    const auto runtime = make_runtime(config);
    const TrainResult result = train(config, options, *runtime->backend, runtime->ops);
    if (world->rank() == 0)
        print(fmt::format("{}: step {}, {} tokens\n", result.run_folder.string(), result.step,
                      result.tokens));
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
