#include "app/command_report.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "app/runtime.hpp"
#include "report/report.hpp"

namespace polytrain {
namespace {

void run(const CLI::App& command) {
    const auto names = command["RUN"]->as<std::vector<std::string>>();
    const auto out = command["--out"]->as<std::string>();
    const std::vector<std::string> paper = command["--paper"]->results();
    write_report({names.begin(), names.end()}, {paper.begin(), paper.end()}, activation_catalog(),
                 out);
    fmt::print("{}\n", out);
}

}  // namespace

void add_report_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("report", "Write an HTML page that compares runs");
    command->add_option("--out", "The HTML file")->required();
    command
        ->add_option("--paper",
                     "A CSV of series,tokens_billion,value to draw beside the runs; may come often")
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command
        ->add_option("RUN",
                     "Run folders, each with config.json and metrics.jsonl, or what analyze found")
        ->required()
        ->expected(1, -1)
        ->allow_extra_args();
    command->callback([command] { run(*command); });
}

}  // namespace polytrain
