#include "app/command_sample.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <string>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "app/trained_model.hpp"
#include "core/error.hpp"
#include "generate/sample.hpp"
#include "generate/text_stream.hpp"
#include "train/decoder.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string run, prompt = "\n";
    SampleOptions options;
};

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt) {
    std::vector<int32_t> ids;
    const auto encoder = tokenizer.make_encoder();
    encoder->encode(prompt, true, ids);
    if (encoder->report().dropped > 0)
        fail(ExitCode::kUsage, "--prompt has characters that are not in the model's vocabulary");
    if (ids.empty()) fail(ExitCode::kUsage, "--prompt is empty: give at least one character");
    return ids;
}

void run(const Arguments& arguments) {
    if (std::isnan(arguments.options.temperature) || std::isnan(arguments.options.top_p))
        fail(ExitCode::kUsage, "--temperature and --top-p want a number");
    const TrainedModel trained = open_trained_model(arguments.run);
    const RunConfig& config = trained.config;
    if (config.data.synthetic)
        fail(ExitCode::kUsage, "{}: trained on synthetic tokens, which no text belongs to",
             arguments.run);
    const Tokenizer& tokenizer = trained.tokenizer.get();
    std::vector<int32_t> prompt = encode_prompt(tokenizer, arguments.prompt);
    const auto runtime = make_runtime(config);
    Decoder decoder(config, *runtime->backend, runtime->ops, trained.checkpoint);
    print(arguments.prompt);
    TextStream text(tokenizer, prompt);
    generate(
        std::move(prompt), config.model.context, arguments.options,
        [&](const std::vector<int32_t>& ids) {
            std::vector<float> logits = decoder.logits_after(ids);
            // A vocabulary may be padded past the tokenizer's.
            logits.resize(std::min(logits.size(), static_cast<size_t>(tokenizer.vocab_size())));
            return logits;
        },
        [&](int32_t id) { print(text.add(id)); });
    print(text.finish() + "\n");
}

}  // namespace

void add_sample_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("sample", "Let a trained model write");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("RUN", arguments->run, "A run folder, or one of its checkpoints/step-N")
        ->required();
    command->add_option("--prompt", arguments->prompt, "Text to go on from (default: a new line)");
    command->add_option("--tokens", arguments->options.tokens, "How many to generate")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
        ->capture_default_str();
    command
        ->add_option("--temperature", arguments->options.temperature,
                     "Below 1 sharper, 0 always the likeliest")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command
        ->add_option("--top-k", arguments->options.top_k,
                     "Draw from so many of the likeliest tokens alone; 0: from all")
        ->check(CLI::Range(int64_t{0}, int64_t{1} << 30))
        ->capture_default_str();
    command
        ->add_option("--top-p", arguments->options.top_p,
                     "Then from the fewest likeliest that together have this probability")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    command->add_option("--seed", arguments->options.seed, "Another seed, another text")
        ->capture_default_str();
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
