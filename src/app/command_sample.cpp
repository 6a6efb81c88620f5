#include "app/command_sample.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "config/load.hpp"
#include "core/log.hpp"
#include "data/data_tokenizer.hpp"
#include "generate/sample.hpp"
#include "train/run_folder.hpp"
#include "train/session.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string run, prompt = "\n";
    SampleOptions options;
};

// The copy that train left in the run folder; without one, what the config names.
std::unique_ptr<Tokenizer> tokenizer_of(const std::filesystem::path& run, const RunConfig& config) {
    const std::filesystem::path copy = run / kTokenizerName;
    return make_tokenizer(std::filesystem::exists(copy) ? copy.string()
                                                        : DataTokenizer(config.data).name());
}

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
    const std::filesystem::path folder = arguments.run;
    std::vector<PassedOver> passed_over;
    const auto checkpoint = newest_checkpoint(folder, passed_over);
    for (const PassedOver& other : passed_over)
        log::warn("passed over {}: {}", other.name, other.reason);
    if (!checkpoint)
        fail(ExitCode::kInputMissing, "{}: no checkpoint to sample from", folder.string());
    const RunConfig config =
        parse_config_text(checkpoint->state().config_json,
                          (checkpoint->folder() / kManifestName).string(), activation_catalog());
    if (config.data.synthetic)
        fail(ExitCode::kUsage, "{}: trained on synthetic tokens, which no text belongs to",
             folder.string());

    const auto tokenizer = tokenizer_of(folder, config);
    std::vector<int32_t> prompt = encode_prompt(*tokenizer, arguments.prompt);
    const auto runtime = make_runtime(config);
    const InferenceSession session(config, *runtime->backend, runtime->ops, *checkpoint);
    print(arguments.prompt);
    std::vector<int32_t> written = prompt;
    generate(
        std::move(prompt), config.model.context, arguments.options,
        [&](const std::vector<int32_t>& ids) {
            std::vector<float> logits = session.logits_after(ids);
            // A vocabulary may be padded past the tokenizer's.
            logits.resize(std::min(logits.size(), static_cast<size_t>(tokenizer->vocab_size())));
            return logits;
        },
        [&](int32_t id) {
            // What a token adds may depend on the ones before it.
            const size_t before = tokenizer->decode(written).size();
            written.push_back(id);
            const std::string now = tokenizer->decode(written);
            print(std::string_view(now).substr(std::min(before, now.size())));
        });
    print("\n");
}

}  // namespace

void add_sample_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("sample", "Let a trained model write");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("RUN", arguments->run, "A run folder")->required();
    command->add_option("--prompt", arguments->prompt, "Text to go on from (default: a new line)");
    command->add_option("--tokens", arguments->options.tokens, "How many to generate")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
        ->capture_default_str();
    command
        ->add_option("--temperature", arguments->options.temperature,
                     "Below 1 sharper, 0 always the likeliest")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command->add_option("--seed", arguments->options.seed, "Another seed, another text")
        ->capture_default_str();
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
