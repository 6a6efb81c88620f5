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

namespace polytrain {
namespace {

struct Arguments {
    std::string config;
    bool json = false;
    std::vector<std::string> overrides;
};

nlohmann::ordered_json as_json(const RunConfig& config, const TrainingPlan& plan) {
    const auto& parameters = plan.model->parameters();
    const ParameterCount count = count_parameters(config.model, parameters);
    nlohmann::ordered_json bytes, tensors = nlohmann::json::array();
    for (Life life : kLives) bytes[std::string(name_of(life))] = plan.memory.bytes(life);
    bytes["scratch_of_libraries"] = plan.memory.op_scratch_bytes();
    bytes["total"] = plan.memory.total_bytes();
    for (const MemoryPlan::Entry& entry : plan.memory.entries()) {
        nlohmann::json shape = nlohmann::json::array();
        for (int i = 0; i < entry.shape.rank(); ++i) shape.push_back(entry.shape[i]);
        tensors.push_back({{"name", entry.name},
                           {"shape", shape},
                           {"dtype", name_of(entry.dtype)},
                           {"life", name_of(entry.life)},
                           {"bytes", entry.bytes()}});
    }
    return {{"parameters", count.parameters},
            {"coefficients", count.coefficients},
            {"flops_per_token", flops_per_token(config.model, parameters)},
            {"tokens_per_step", config.train.batch * config.model.context},
            {"bytes", bytes},
            {"tensors", tensors}};
}

void run(const Arguments& arguments) {
    const RunConfig config =
        load_config(arguments.config, arguments.overrides, activation_catalog());
    const auto runtime = make_runtime(config);
    const TrainingPlan plan = plan_training(config, runtime->ops);
    const nlohmann::ordered_json json = as_json(config, plan);
    print(arguments.json
              ? json.dump(2) + "\n"
              : fmt::format("parameters       {}\ncoefficients     {}\nFLOPs per token  {:.4g}\n"
                            "tokens per step  {}\n\n{}",
                            json["parameters"].get<int64_t>(), json["coefficients"].get<int64_t>(),
                            json["flops_per_token"].get<double>(),
                            json["tokens_per_step"].get<int64_t>(), plan.memory.table()));
}

}  // namespace

void add_plan_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("plan", "Parameters, FLOPs and memory of a run, without running it");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("CONFIG", arguments->config, "The run's JSON config")->required();
    command->add_flag("--json", arguments->json, "Every tensor, as JSON");
    command->add_option("--set", arguments->overrides, "Override a key: --set train.micro_batch=4")
        ->allow_extra_args(false);
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
