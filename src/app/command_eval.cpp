#include "app/command_eval.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/eval_job.hpp"
#include "app/output.hpp"
#include "comm/run_on_rank.hpp"
#include "core/file.hpp"
#include "eval/task_report.hpp"

namespace polytrain {
namespace {

using nlohmann::ordered_json;

std::string losses_as_text(const ordered_json& json) {
    const std::string bits =
        json["bits_per_byte"].is_null()
            ? "not known: " + json.value("why_no_bytes", "")
            : fmt::format("{:.4f}  ({} bytes)", json["bits_per_byte"].get<double>(),
                          json["bytes"].get<int64_t>());
    // JSON has no infinity: it came through the ranks as null.
    const std::string perplexity = json["perplexity"].is_null()
                                       ? "inf"
                                       : fmt::format("{:.4f}", json["perplexity"].get<double>());
    return fmt::format(
        "data           {}\ntokens         {}, scored {}\n"
        "loss           {:.6f} nats per token\nperplexity     {}\nbits per byte  {}\n",
        json["data"].get<std::string>(), json["tokens"].get<int64_t>(),
        json["scored"].get<int64_t>(), json["loss"].get<double>(), perplexity, bits);
}

void run_rank(const EvalArguments& arguments, World& world) {
    if (arguments.data.empty() && arguments.tasks.empty())
        fail(ExitCode::kUsage, "eval: give --data, --tasks, or both");
    TrainedModel trained = open_trained_model(arguments.run);
    RunConfig& config = trained.config;
    if (arguments.threads > 0) config.threads = arguments.threads;
    const auto runtime = make_runtime(config, world.local_rank(), world.local_size());
    const auto [losses, tasks] = run_eval_job(arguments, trained, config, *runtime, world);
    if (world.rank() != 0) return;

    const std::string checkpoint = trained.checkpoint.folder().string();
    ordered_json json{{"checkpoint", checkpoint}, {"step", trained.checkpoint.state().step}};
    std::string text = fmt::format("model          {}\n", checkpoint);
    // One file has an object without names.
    if (losses.size() == 1 && tasks.empty())
        json.update(losses.front());
    else if (!losses.empty())
        json["data"] = losses;
    for (const auto& [name, figures] : losses.items())
        text += (losses.size() > 1 ? fmt::format("\n{}\n", name) : "") + losses_as_text(figures);
    if (!tasks.empty()) {
        json["tasks"] = tasks_as_json(tasks);
        text += "\n" + tasks_as_text(tasks);
    }
    if (!arguments.details.empty()) write_file_atomic(arguments.details, question_lines(tasks));
    if (!arguments.out.empty()) write_file_atomic(arguments.out, json.dump(4) + "\n");
    print(arguments.json ? json.dump(4) + "\n" : text);
}

void run(const EvalArguments& arguments) {
    const std::unique_ptr<World> world = World::open();
    run_on_rank(
        *world, [&] { run_rank(arguments, *world); },
        [] { return false; });  // a signal ends the program by itself
}

void add_task_options(CLI::App& command, EvalArguments& arguments) {
    CLI::Option* tasks =
        command
            .add_option("--tasks", arguments.tasks,
                        "Multiple-choice questions (docs/evaluation.md): files, folders of OLMo "
                        "requests, or NAME=FILE; several by commas")
            ->delimiter(',')
            ->allow_extra_args(false);
    command
        .add_option("--dialect", arguments.dialect,
                    "Whose prompts and tokens: lm-evaluation-harness' or OLMo's; auto: olmo for "
                    "its requests, else harness")
        ->check(CLI::IsMember({"auto", "harness", "olmo"}))
        ->capture_default_str()
        ->needs(tasks);
    command.add_option("--shots", arguments.shots, "Examples that go before each question")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str()
        ->needs(tasks);
    command
        .add_option("--examples", arguments.examples,
                    "Files that these come from: NAME=FILE for a task, FILE for all others; "
                    "several by commas")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->needs(tasks);
    command
        .add_option("--limit", arguments.limit, "Ask the first so many questions of each; 0: all")
        ->check(CLI::Range(int64_t{0}, int64_t{1} << 50))
        ->capture_default_str()
        ->needs(tasks);
    command
        .add_option("--batch-tokens", arguments.batch_tokens,
                    "Tokens of a forward pass over tasks, at least a context; 0: 2048")
        ->check(CLI::Range(int64_t{0}, int64_t{1} << 24))
        ->capture_default_str()
        ->needs(tasks);
    command
        .add_option("--details", arguments.details,
                    "Write each question's log-likelihoods there, as JSON lines")
        ->needs(tasks);
}

}  // namespace

void add_eval_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "eval",
        "What a trained model knows: loss, perplexity and bits per byte over files, and accuracy "
        "in multiple-choice tasks");
    const auto arguments = std::make_shared<EvalArguments>();
    command->add_option("RUN", arguments->run, "A run folder, or one of its checkpoints/step-N")
        ->required();
    command
        ->add_option("--data", arguments->data,
                     "A text (.txt or .jsonl, also .gz, .zst or .bz2), a folder of texts, or a "
                     "token file; or NAME=FILE; several by commas")
        ->delimiter(',')
        ->allow_extra_args(false);
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
    add_task_options(*command, *arguments);
    command
        ->add_option("--threads", arguments->threads,
                     "0: as the run's config; else OMP_NUM_THREADS, else all processors")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "Print a JSON object");
    command->add_option("--out", arguments->out, "Write that JSON object there too");
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
