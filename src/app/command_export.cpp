#include "app/command_export.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "app/trained_model.hpp"
#include "checkpoint/folder.hpp"
#include "checkpoint/hugging_face/export.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "model/transformer.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

struct Arguments {
    std::string run, out, dtype = "f32";
    std::optional<int64_t> step;
    uint64_t shard_bytes = 5'000'000'000;
};

// Neither where no text belongs to the model, or where its tokenizer's file was never there.
void add_tokenizer(const TrainedModel& trained, HuggingFaceExport& options) {
    const std::string& name = trained.tokenizer.name();
    if (trained.config.data.synthetic || (name != "bytes" && !fs::exists(name))) return;
    try {
        options.tokenizer = &trained.tokenizer.get();
    } catch (const Error& error) {
        log::warn("{}: copied, but PolyTrain can't use it", error.what());
        options.tokenizer_text = read_file(name);
    }
}

void run(const Arguments& arguments) {
    const TrainedModel trained =
        open_trained_model(arguments.step ? checkpoint_folder(arguments.run, *arguments.step)
                                          : fs::path(arguments.run));
    const Transformer model(trained.config.model, activation_catalog());
    HuggingFaceExport options;
    options.dtype = arguments.dtype == "bf16" ? DType::kBf16 : DType::kF32;
    options.shard_bytes = static_cast<int64_t>(arguments.shard_bytes);
    add_tokenizer(trained, options);
    const HuggingFaceExported exported = export_hugging_face(
        trained.checkpoint, trained.config.model, model.parameters(), arguments.out, options);
    print(fmt::format("{}: {} of {}, {} tensors, {} bytes in {} file{}\n", arguments.out,
                      exported.stock.exists() ? exported.stock.name : "PolyTrainForCausalLM",
                      trained.checkpoint.folder().string(), exported.tensors, exported.bytes,
                      exported.files, exported.files == 1 ? "" : "s"));
    if (!exported.stock.exists())
        print(
            fmt::format("transformers has no class for this model: {}. docs/hugging_face.md says "
                        "what the tensors and the key \"polytrain\" of config.json are\n",
                        exported.stock.why_none));
}

}  // namespace

void add_export_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "export", "Write a trained model as a Hugging Face folder (docs/hugging_face.md)");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("RUN", arguments->run, "A run folder, or one of its checkpoints/step-N")
        ->required();
    command->add_option("--out", arguments->out, "The folder to make; it must not be there yet")
        ->required();
    command
        ->add_option("--step", arguments->step,
                     "Of a run folder this step's checkpoint (default: the newest that verifies)")
        ->check(CLI::Range(int64_t{0}, int64_t{1} << 62));
    command->add_option("--dtype", arguments->dtype, "Of the weights: as saved, or rounded")
        ->check(CLI::IsMember({"f32", "bf16"}))
        ->capture_default_str();
    command
        ->add_option("--shard-size", arguments->shard_bytes,
                     "Bytes of a file, at most, but for single tensors: a number, or 500MB, 5GB")
        ->transform(CLI::AsSizeValue(true))
        ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 62))
        ->capture_default_str();
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
