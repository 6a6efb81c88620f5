#include "app/command_plan.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "config/load.hpp"
#include "model/estimate.hpp"
#include "train/session.hpp"
#include "train/task_evaluation.hpp"
#include "train/traffic.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string config;
    bool json = false;
    int ranks = 0;      // 0: as few as the config allows
    double tflops = 0;  // that a rank reaches; 0: not told
    std::vector<std::string> overrides;
};

// Of the ranks of a layout the last one owns most: small tensors aren't cut.
Layout layout_of(const RunConfig& config, int ranks) {
    return {ranks, static_cast<int>(config.parallel.expert), ranks - 1};
}

// What asking eval.tasks takes is an arena of its own.
nlohmann::ordered_json bytes_of(const RunConfig& config, const TrainingPlan& plan,
                                const OpTable& ops) {
    nlohmann::ordered_json bytes;
    for (Life life : kLives) bytes[std::string(name_of(life))] = plan.memory.bytes(life);
    bytes["scratch_of_libraries"] = plan.memory.op_scratch_bytes();
    const size_t tasks =
        config.eval.tasks.empty() ? 0 : plan_tasks(config, ops, plan.layout).total_bytes();
    if (tasks > 0) bytes["tasks"] = tasks;
    bytes["total"] = plan.memory.total_bytes() + tasks;
    return bytes;
}

nlohmann::ordered_json sent_of(const RunConfig& config, const TrainingPlan& plan) {
    nlohmann::ordered_json sent = nlohmann::ordered_json::object();
    for (const Traffic& row : traffic_of(config, plan)) sent[row.collective] = row.bytes;
    return sent;
}

nlohmann::ordered_json tensors_of(const TrainingPlan& plan) {
    nlohmann::ordered_json tensors = nlohmann::json::array();
    for (const MemoryPlan::Entry& entry : plan.memory.entries()) {
        nlohmann::json shape = nlohmann::json::array();
        for (int i = 0; i < entry.shape.rank(); ++i) shape.push_back(entry.shape[i]);
        tensors.push_back({{"name", entry.name},
                           {"shape", shape},
                           {"dtype", name_of(entry.dtype)},
                           {"life", name_of(entry.life)},
                           {"bytes", entry.bytes()}});
    }
    return tensors;
}

nlohmann::ordered_json as_json(const RunConfig& config, const TrainingPlan& plan,
                               const OpTable& ops) {
    const auto& parameters = plan.model->parameters();
    const ParameterCount count = count_parameters(config.model, parameters);
    return {{"parameters", count.parameters},
            {"parameters_active", count.active},
            {"coefficients", count.coefficients},
            {"flops_per_token", flops_per_token(config.model, parameters)},
            {"tokens_per_step", config.train.batch * config.model.context},
            {"ranks", plan.layout.ranks},
            {"expert", plan.layout.expert},
            {"sharding", config.parallel.sharding},
            {"bytes", bytes_of(config, plan, ops)},
            {"sent", sent_of(config, plan)}};
}

// The same ranks as every grid of them that the model allows, with every sharding.
nlohmann::ordered_json other_grids(RunConfig config, int ranks, const OpTable& ops) {
    nlohmann::ordered_json grids = nlohmann::json::array();
    for (int64_t expert = 1; expert <= ranks; ++expert) {
        const int64_t experts = config.model.moe.experts;
        if (ranks % expert != 0 || (experts == 0 ? expert > 1 : experts % expert != 0)) continue;
        for (const int64_t sharding : {0, 1, 2}) {
            config.parallel.expert = expert;
            config.parallel.sharding = sharding;
            const TrainingPlan plan = plan_training(config, ops, layout_of(config, ranks));
            grids.push_back({{"expert", expert},
                             {"sharding", sharding},
                             {"bytes", bytes_of(config, plan, ops)},
                             {"sent", sent_of(config, plan)}});
        }
    }
    return grids;
}

// What the model's products take, without evaluations, saves and what is computed again.
double seconds_of_run(const RunConfig& config, const nlohmann::ordered_json& json, double tflops) {
    if (last_step(config) == 0)
        fail(ExitCode::kUsage, "--tflops: train.seconds alone ends this run, it has no length");
    const double step =
        json["flops_per_token"].get<double>() * json["tokens_per_step"].get<double>();
    return static_cast<double>(last_step(config)) * step /
           (json["ranks"].get<double>() * tflops * 1e12);
}

double gib(const nlohmann::ordered_json& bytes) {
    return bytes.get<double>() / (1024.0 * 1024.0 * 1024.0);
}

std::string memory_text(const TrainingPlan& plan, const nlohmann::ordered_json& bytes) {
    std::string text = plan.memory.table();
    if (bytes.contains("tasks"))
        text +=
            fmt::format("{:<12}{:>12.2f}   beside that, for eval.tasks\n{:<12}{:>12.2f}\n", "tasks",
                        1024 * gib(bytes["tasks"]), "in all", 1024 * gib(bytes["total"]));
    return text;
}

std::string ranks_text(const nlohmann::ordered_json& json, const nlohmann::ordered_json& grids) {
    std::string text = fmt::format("\nsent by a rank in a step, with expert {} and sharding {}:\n",
                                   json["expert"].get<int>(), json["sharding"].get<int>());
    for (const auto& [collective, bytes] : json["sent"].items())
        text += fmt::format("  {:<34}{:>18}\n", collective, bytes.get<int64_t>());
    text += fmt::format("\n{:>6}{:>10}{:>24}{:>10}{:>20}\n", "expert", "sharding",
                        "bytes of a rank", "GiB", "GiB sent a step");
    for (const auto& grid : grids) {
        double sent = 0;
        for (const auto& [collective, bytes] : grid["sent"].items()) sent += gib(bytes);
        const auto& total = grid["bytes"]["total"];
        text +=
            fmt::format("{:>6}{:>10}{:>24}{:>10.2f}{:>20.3f}\n", grid["expert"].get<int64_t>(),
                        grid["sharding"].get<int64_t>(), total.get<int64_t>(), gib(total), sent);
    }
    return text;
}

void run(const Arguments& arguments) {
    const RunConfig config =
        load_config(arguments.config, arguments.overrides, activation_catalog());
    const auto runtime = make_runtime(config);
    const int ranks =
        arguments.ranks > 0 ? arguments.ranks : static_cast<int>(config.parallel.expert);
    const TrainingPlan plan = plan_training(config, runtime->ops, layout_of(config, ranks));
    nlohmann::ordered_json json = as_json(config, plan, runtime->ops), grids;
    if (arguments.ranks > 0) grids = other_grids(config, ranks, runtime->ops);
    if (arguments.tflops > 0) json["seconds"] = seconds_of_run(config, json, arguments.tflops);
    if (arguments.json) {
        if (!grids.is_null()) json["grids"] = std::move(grids);
        json["tensors"] = tensors_of(plan);
        return print(json.dump(2) + "\n");
    }
    print(
        fmt::format("parameters       {}\n"
                    "active           {}\n"
                    "coefficients     {}\n"
                    "FLOPs per token  {:.4g}\n"
                    "tokens per step  {}\n\n{}",
                    json["parameters"].get<int64_t>(), json["parameters_active"].get<int64_t>(),
                    json["coefficients"].get<int64_t>(), json["flops_per_token"].get<double>(),
                    json["tokens_per_step"].get<int64_t>(), memory_text(plan, json["bytes"])));
    if (json.contains("seconds"))
        print(fmt::format("\n{} steps on {} ranks of {:g} TFLOP/s: {:.4g} hours\n",
                          last_step(config), ranks, arguments.tflops,
                          json["seconds"].get<double>() / 3600));
    if (arguments.ranks > 0) print(ranks_text(json, grids));
}

}  // namespace

void add_plan_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("plan", "Parameters, FLOPs and memory of a run, without running it");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("CONFIG", arguments->config, "The run's JSON config")->required();
    command->add_flag("--json", arguments->json, "Every tensor, as JSON");
    command
        ->add_option("--ranks", arguments->ranks,
                     "As one of so many ranks: its memory, what it sends in a step, and both for "
                     "every expert grid and sharding (default: as many as parallel.expert)")
        ->check(CLI::Range(1, 1 << 20));
    command
        ->add_option(
            "--tflops", arguments->tflops,
            "TFLOP/s that a rank reaches (its peak times the mfu): how long training takes")
        ->check(CLI::Range(1e-6, 1e6));
    command->add_option("--set", arguments->overrides, "Override a key: --set train.micro_batch=4")
        ->allow_extra_args(false);
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
