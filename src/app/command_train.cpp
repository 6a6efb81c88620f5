#include "app/command_train.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/training.hpp"

namespace polytrain {
namespace {

struct Arguments {
    ConfigChoice config;
    std::string out, resume = "none";
};

void run(const Arguments& arguments) {
    run_launched([&](World& world, const StopSignals& signals) {
        const std::filesystem::path folder =
            arguments.out.empty() ? "runs" / std::filesystem::path(arguments.config.path).stem()
                                  : std::filesystem::path(arguments.out);
        train_run(load_choice(arguments.config, world.size()), folder, arguments.resume == "auto",
                  world, signals);
    });
}

}  // namespace

void add_train_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("train", "Train a model as a config says");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("CONFIG", arguments->config.path, "The run's JSON config")->required();
    command->add_option("--out", arguments->out,
                        "Run folder for config.json, metrics.jsonl and checkpoints/ (default: "
                        "runs/NAME of the config)");
    command
        ->add_option("--set", arguments->config.overrides,
                     "Override a key: --set optimizer.lr=0.001")
        ->allow_extra_args(false);
    command->add_flag("--shrink", arguments->config.shrink,
                      "The same at a size that trains in a second, on synthetic tokens, before "
                      "--set (docs/experiments.md)");
    command
        ->add_option("--resume", arguments->resume,
                     "auto: go on from the newest checkpoint in the run folder that verifies")
        ->check(CLI::IsMember({"auto", "none"}));
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
