// A list of configs, each with every combination of what varies, trained one after another. A run
// that ended before isn't trained again and one that was stopped goes on, by its checkpoints.

#include "app/command_sweep.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/runtime.hpp"
#include "app/training.hpp"
#include "checkpoint/folder.hpp"
#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::vector<std::string> configs, vary;
    ConfigChoice common;  // its path is not used
    std::string out;
};

// What one --vary tells apart.
struct Variant {
    std::string override;  // "seed=2"
    std::string label;     // "seed=2", of the key's last part
};

std::vector<Variant> variants_of(const std::string& vary) {
    const size_t equals = vary.find('=');
    const auto values = nlohmann::json::parse(
        equals == std::string::npos ? "" : vary.substr(equals + 1), nullptr, false);
    if (!values.is_array() || values.empty())
        fail(ExitCode::kUsage, "--vary {}: wants KEY=[VALUE,...], as in --vary seed=[1,2,3]", vary);
    const std::string key = vary.substr(0, equals);
    std::vector<Variant> variants;
    for (const auto& value : values) {
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_structured() || text.empty() || text.find('/') != std::string::npos)
            fail(ExitCode::kUsage,
                 "--vary {}: {} can't be a part of a folder's name; name it by a config of its own",
                 vary, value.dump());
        variants.push_back({key + "=" + value.dump(), key.substr(key.rfind('.') + 1) + "=" + text});
    }
    return variants;
}

struct SweepRun {
    RunConfig config;
    std::filesystem::path folder;
};

// All of them, so that a mistake in the last is told before the first begins.
std::vector<SweepRun> runs_of(const Arguments& arguments, int ranks) {
    std::vector<std::vector<Variant>> combinations{{}};
    for (const std::string& vary : arguments.vary) {
        std::vector<std::vector<Variant>> longer;
        for (const auto& combination : combinations)
            for (const Variant& variant : variants_of(vary)) {
                longer.push_back(combination);
                longer.back().push_back(variant);
            }
        combinations = std::move(longer);
    }
    std::vector<SweepRun> runs;
    std::map<std::string, std::string> owners;
    // Every config of a combination before the next one: a sweep over seeds that is stopped early
    // has them all to compare.
    for (const auto& combination : combinations)
        for (const std::string& path : arguments.configs) {
            ConfigChoice choice = arguments.common;
            choice.path = path;
            std::string name = std::filesystem::path(path).stem();
            for (const Variant& variant : combination) {
                choice.overrides.push_back(variant.override);
                name += "-" + variant.label;
            }
            if (const auto [owner, is_new] = owners.emplace(name, path); !is_new)
                fail(ExitCode::kUsage, "{} and {} would both train in {}", owner->second, path,
                     (std::filesystem::path(arguments.out) / name).string());
            runs.push_back(
                {load_choice(choice, ranks), std::filesystem::path(arguments.out) / name});
            if (last_step(runs.back().config) == 0)
                fail(ExitCode::kBadConfig,
                     "{}: train.seconds alone ends it: a sweep that is started again would train "
                     "it for as long again. Set train.steps or train.tokens",
                     path);
        }
    return runs;
}

// Whether a run has ended that another config than today's trained: its folder stays as it is, to
// say what was trained there.
bool ended_otherwise(const SweepRun& run) {
    const std::vector<int64_t> steps = committed_steps(run.folder);
    const std::filesystem::path path = run.folder / "config.json";
    if (steps.empty() || steps.back() < last_step(run.config) || !std::filesystem::exists(path))
        return false;
    RunConfig saved =
        parse_config_text(read_file(path), path.string(), activation_catalog(), ConfigUse::kModel);
    if (run.config.precision == "auto") saved.precision = "auto";
    const auto differences = config_differences(saved, run.config, activation_catalog());
    if (differences.empty()) return false;
    log::warn(
        "{}: has ended, by another config, and is passed over; to train it anew, remove it or give "
        "another --out. What was and is:\n  {}",
        run.folder.string(), fmt::join(differences, "\n  "));
    return true;
}

void run(const Arguments& arguments) {
    run_launched([&](World& world, const StopSignals& signals) {
        const std::vector<SweepRun> runs = runs_of(arguments, world.size());
        for (size_t i = 0; i < runs.size(); ++i) {
            log::info("run {} of {}: {}", i + 1, runs.size(), runs[i].folder.string());
            if (!ended_otherwise(runs[i]))
                train_run(runs[i].config, runs[i].folder, true, world, signals);
        }
    });
}

}  // namespace

void add_sweep_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "sweep", "Train a list of configs one after another; started again, it goes on");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("CONFIG", arguments->configs, "Configs, each trained in DIR/NAME")
        ->required()
        ->expected(1, -1);
    command->add_option("--out", arguments->out, "The folder of the run folders")->required();
    command
        ->add_option("--vary", arguments->vary,
                     "Train each config once for each value: --vary seed=[1,2,3] in "
                     "DIR/NAME-seed=1 and so on; several --vary are combined")
        ->allow_extra_args(false);
    command
        ->add_option("--set", arguments->common.overrides,
                     "Override a key in all of them: --set train.tokens=8e6")
        ->allow_extra_args(false);
    command->add_flag("--shrink", arguments->common.shrink,
                      "As train --shrink (docs/experiments.md)");
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
