#include "app/command_import.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "checkpoint/hugging_face/import.hpp"
#include "checkpoint/temporary_folder.hpp"
#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "data/tokenizer.hpp"
#include "model/estimate.hpp"
#include "model/transformer.hpp"
#include "train/run_folder.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWithoutTokenizer =
    "training, texts and sampling need a tokenizer that PolyTrain can use; token files can be "
    "evaluated, and the model exported";

struct Arguments {
    std::string folder, out, activation;
    int64_t context = 0;  // 0: all positions
};

// Of messages about a config made of `source`: no line and column, which nobody can look up, and
// the keys that the file has.
std::string as_hugging_face(const std::string& message, const std::string& source) {
    constexpr std::pair<const char*, const char*> kKeys[] = {
        {"model.d_model", "hidden_size"},
        {"model.layers", "num_hidden_layers"},
        {"model.heads", "num_attention_heads"},
        {"model.kv_heads", "num_key_value_heads"},
        {"model.context", "max_position_embeddings"},
        {"model.vocab_size", "vocab_size"},
        {"model.norm_eps", "rms_norm_eps"},
        {"model.rope_theta", "rope_theta"},
        {"model.init.std", "initializer_range"},
        {"model.feed_forward.hidden", "intermediate_size"},
        {"model.moe.hidden", "intermediate_size"},
        {"model.moe.experts", "num_experts"},
        {"model.moe.top_k", "num_experts_per_tok"}};
    std::istringstream lines(message);
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(source + ":")) {
            size_t end = source.size();
            while (end < line.size() &&
                   (line[end] == ':' || (line[end] >= '0' && line[end] <= '9')))
                ++end;
            line = line.substr(std::min(end + 1, line.size()));
            const std::string key = line.substr(0, line.find(':'));
            for (const auto& [ours, theirs] : kKeys)
                if (key == ours) line = fmt::format("\"{}\", here {}", theirs, line);
            line = source + ": " + line;
        }
        text += (text.empty() ? "" : "\n") + line;
    }
    return text;
}

// What a run of the model would be told, but for what to train on and how long. In f32, which holds
// every weight as it is.
RunConfig config_of(const Arguments& arguments, const HuggingFaceModel& found) {
    RunConfig config;
    config.precision = "f32";
    config.model = found.model;
    config.train.batch = 1;
    config.data.tokenizer =
        found.byte_tokens ? "bytes" : (fs::path(arguments.out) / kTokenizerName).string();
    if (arguments.context > found.model.context)
        fail(ExitCode::kUsage, "--context {}: {} says \"max_position_embeddings\": {}",
             arguments.context, (fs::path(arguments.folder) / "config.json").string(),
             found.model.context);
    if (arguments.context > 0) config.model.context = arguments.context;
    // Read again, it is checked as any other and has what follows from the rest.
    const std::string source = (fs::path(arguments.folder) / "config.json").string();
    try {
        return parse_config_text(emit_config(config, activation_catalog()), source,
                                 activation_catalog(), ConfigUse::kModel);
    } catch (const Error& error) {
        throw Error(error.code(), as_hugging_face(error.what(), source));
    }
}

// Copies the tokenizer's file, if there is one.
void copy_tokenizer(const fs::path& from, const fs::path& to, int64_t vocab_size) {
    if (!fs::exists(from)) {
        log::warn("{}: not there: {}", from.string(), kWithoutTokenizer);
        return;
    }
    try {
        const int64_t ids = make_tokenizer(from.string())->vocab_size();
        if (ids > vocab_size)
            log::warn("{}: has ids up to {}, the model knows {}", from.string(), ids, vocab_size);
    } catch (const Error& error) {
        log::warn("{}: copied, but PolyTrain can't use it: {}", error.what(), kWithoutTokenizer);
    }
    write_file_atomic(to, read_file(from));
}

void run(const Arguments& arguments) {
    const fs::path folder = arguments.folder;
    HuggingFaceModel found = read_hugging_face_config(folder / "config.json", arguments.activation,
                                                      activation_catalog());
    const HuggingFaceFiles files(folder);
    if (found.released) found.model.feed_forward.order = released_order(files);
    const RunConfig config = config_of(arguments, found);
    found.model = config.model;
    const Transformer model(config.model, activation_catalog());

    const TemporaryFolder made(place_for_folder(arguments.out));
    const std::string config_json = emit_config(config, activation_catalog());
    import_hugging_face(files, found, model.parameters(), made.path(), config_json);
    if (!found.byte_tokens)
        copy_tokenizer(folder / kTokenizerName, made.path() / kTokenizerName,
                       config.model.vocab_size);
    write_file_atomic(made.path() / "config.json", config_json);
    made.commit();
    const ParameterCount count = count_parameters(config.model, model.parameters());
    print(fmt::format("{}: step 0, {} parameters and {} coefficients of {} tensors, context {}\n",
                      arguments.out, count.parameters, count.coefficients, files.tensors().size(),
                      config.model.context));
}

}  // namespace

void add_import_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "import", "Make a run of a Hugging Face folder, at step 0 (docs/hugging_face.md)");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("DIR", arguments->folder, "With config.json and safetensors files")
        ->required();
    command->add_option("--out", arguments->out, "The run folder to make; not there yet")
        ->required();
    command
        ->add_option("--context", arguments->context,
                     "Length of a sequence, which memory is planned for (default: all positions)")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
    command
        ->add_option("--activation", arguments->activation,
                     "Of model_type polyllama, whose config doesn't tell")
        ->check(CLI::IsMember({"polyrelu", "polynorm"}));
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
