#include "app/command_prepare.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "data/prepare.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {
namespace {

void run(const CLI::App& command) {
    PrepareOptions options;
    for (const auto& input : command["INPUT"]->as<std::vector<std::string>>())
        options.inputs.emplace_back(input);
    options.out = command["--out"]->as<std::string>();
    options.validation = command["--validation"]->as<double>();
    const auto tokenizer = make_tokenizer(command["--tokenizer"]->as<std::string>());

    const PrepareResult result = prepare(options, *tokenizer);
    const auto print = [&](const char* name, int64_t documents, int64_t tokens) {
        fmt::print("{}: {} document{}, {} tokens\n", (options.out / name).string(), documents,
                   documents == 1 ? "" : "s", tokens);
    };
    print("train.bin", result.train_documents, result.train_tokens);
    if (options.validation > 0)
        print("validation.bin", result.validation_documents, result.validation_tokens);
}

}  // namespace

void add_prepare_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("prepare", "Turn text files into token files");
    command->add_option("--tokenizer", "Tokenizer")->default_str("bytes");
    command->add_option("--out", "Folder for train.bin and validation.bin")->required();
    command->add_option("--validation", "Fraction of the text to hold out; 0: none")
        ->default_str("0.05");
    command->add_option("INPUT", ".txt files, each one document")
        ->required()
        ->expected(1, -1)
        ->allow_extra_args();
    command->callback([command] { run(*command); });
}

}  // namespace polytrain
