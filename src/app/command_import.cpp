#include "app/command_import.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

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

struct Arguments {
    std::string folder, out, activation;
    int64_t context = 0;  // 0: all positions
};

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
    return parse_config_text(emit_config(config, activation_catalog()),
                             "the config made of " + arguments.folder + "/config.json",
                             activation_catalog(), ConfigUse::kModel);
}

// Copies the tokenizer's file, if there is one.
void copy_tokenizer(const fs::path& from, const fs::path& to, int64_t vocab_size) {
    if (!fs::exists(from)) {
        log::warn("{}: not there: the model can be evaluated on token files, not on texts",
                  from.string());
        return;
    }
    try {
        const int64_t ids = make_tokenizer(from.string())->vocab_size();
        if (ids > vocab_size)
            log::warn("{}: has ids up to {}, the model knows {}", from.string(), ids, vocab_size);
    } catch (const Error& error) {
        log::warn("{}: copied, but PolyTrain can't use it", error.what());
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
    command->add_option("--activation", arguments->activation,
                        "Of model_type polyllama, whose config doesn't tell: polyrelu or polynorm");
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
