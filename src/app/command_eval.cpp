#include "app/command_eval.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "app/trained_model.hpp"
#include "core/clock.hpp"
#include "core/live_line.hpp"
#include "eval/evaluate.hpp"
#include "train/session.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string run;
    std::string data, format = "auto", dtype = "auto", field = "text";
    int threads = 0;
    bool json = false;
};

nlohmann::ordered_json as_json(const Arguments& arguments, const TrainedModel& model,
                               const EvalResult& result) {
    const auto optional = [](const auto& value) -> nlohmann::ordered_json {
        if (value) return *value;
        return nullptr;
    };
    return {{"checkpoint", model.checkpoint.folder().string()},
            {"step", model.checkpoint.state().step},
            {"data", arguments.data},
            {"tokens", result.tokens},
            {"scored", result.scored},
            {"loss", result.loss},
            {"perplexity", result.perplexity},
            {"bytes", optional(result.bytes)},
            {"bits_per_byte", optional(result.bits_per_byte)}};
}

std::string as_text(const Arguments& arguments, const TrainedModel& model,
                    const EvalResult& result) {
    const std::string bits =
        result.bits_per_byte
            ? fmt::format("{:.4f}  ({} bytes)", *result.bits_per_byte, *result.bytes)
            : fmt::format("not known: {}", result.why_no_bytes);
    return fmt::format(
        "model          {}\ndata           {}\ntokens         {}, scored {}\n"
        "loss           {:.6f} nats per token\nperplexity     {:.4f}\nbits per byte  {}\n",
        model.checkpoint.folder().string(), arguments.data, result.tokens, result.scored,
        result.loss, result.perplexity, bits);
}

void run(const Arguments& arguments) {
    TrainedModel trained = open_trained_model(arguments.run);
    RunConfig& config = trained.config;
    if (arguments.threads > 0) config.threads = arguments.threads;
    const auto runtime = make_runtime(config);
    const int64_t sequences = config.train.micro_batch;
    const InferenceSession session(config, *runtime->backend, runtime->ops, trained.checkpoint,
                                   sequences);
    EvalModel model;
    model.context = config.model.context;
    model.vocab_size = config.model.vocab_size;
    model.sequences = sequences;
    model.tokenizer = config.data.synthetic ? nullptr : &trained.tokenizer;
    model.loss_sum = [&](const HostBatch& batch) { return session.loss_sum(batch); };

    EvalResult result;
    {
        LiveLine line;
        Stopwatch since_shown;
        result = evaluate({arguments.data, arguments.format, arguments.dtype, arguments.field},
                          model, [&](int64_t tokens, double loss) {
                              if (!line.terminal() || since_shown.seconds() < 0.2) return;
                              since_shown.restart();
                              line.show(fmt::format("{} tokens  loss {:.4f}", tokens, loss));
                          });
    }
    print(arguments.json ? as_json(arguments, trained, result).dump(4) + "\n"
                         : as_text(arguments, trained, result));
}

}  // namespace

void add_eval_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "eval", "Loss, perplexity and bits per byte of a trained model over a file");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("RUN", arguments->run, "A run folder, or one of its checkpoints/step-N")
        ->required();
    command
        ->add_option("--data", arguments->data,
                     "A text (.txt or .jsonl, also .gz, .zst or .bz2), a folder of texts, or a "
                     "token file")
        ->required();
    command
        ->add_option("--format", arguments->format,
                     "Of a token file that doesn't tell its own, as in data.train")
        ->check(CLI::IsMember({"auto", "polytrain", "megatron", "npy", "llmc", "raw"}))
        ->capture_default_str();
    command->add_option("--dtype", arguments->dtype, "Of token files without a header")
        ->check(CLI::IsMember({"auto", "uint16", "uint32"}))
        ->capture_default_str();
    command->add_option("--field", arguments->field, "Key of JSON lines that holds the text")
        ->capture_default_str();
    command
        ->add_option("--threads", arguments->threads,
                     "0: as the run's config; else OMP_NUM_THREADS, else all processors")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "Print a JSON object");
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
