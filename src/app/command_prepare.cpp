#include "app/command_prepare.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "core/clock.hpp"
#include "core/live_line.hpp"
#include "data/prepare.hpp"
#include "data/tokenizer.hpp"
#include "data/tokenizer/characters.hpp"
#include "data/tokenizer/with_separator.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::vector<std::string> inputs;
    std::string tokenizer = "bytes", out, field = "text", separator;
    double validation = 0.05;
    int threads = 0;
};

// The progress on standard error, now and then.
class ProgressLine {
  public:
    void show(const PrepareProgress& progress) {
        if (since_shown_.seconds() < (live_line_.terminal() ? 0.2 : 10)) return;
        since_shown_.restart();
        live_line_.show(line(progress));
    }

  private:
    static std::string line(const PrepareProgress& progress) {
        const auto ratio = [](auto a, auto b) {
            return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0;
        };
        const double share = ratio(progress.file_bytes, progress.total_file_bytes);
        const double rate =
            ratio(progress.text_bytes - progress.resumed_text_bytes, progress.seconds);
        const double left = ratio(
            progress.seconds * static_cast<double>(progress.total_file_bytes - progress.file_bytes),
            progress.file_bytes - progress.resumed_file_bytes);
        return fmt::format("{:5.1f} %  {:.2f} GB of text  {:.1f} MB/s  {} tokens  left {}",
                           100 * share, static_cast<double>(progress.text_bytes) * 1e-9,
                           rate * 1e-6, progress.tokens, duration_text(left));
    }

    LiveLine live_line_;
    Stopwatch since_shown_;
};

std::string summary(const Arguments& arguments, const PrepareResult& result,
                    std::optional<int32_t> separator) {
    std::string text;
    const auto file = [&](const char* name, int64_t documents, int64_t tokens) {
        text += fmt::format("{}: {} document{}, {} tokens\n",
                            (std::filesystem::path(arguments.out) / name).string(), documents,
                            documents == 1 ? "" : "s", tokens);
    };
    file("train.bin", result.train_documents, result.train_tokens);
    if (arguments.validation > 0)
        file("validation.bin", result.validation_documents, result.validation_tokens);
    const PrepareCounts& counts = result.counts;
    if (separator)
        text += fmt::format("separator: {}\n", *separator);
    else if (result.train_documents > 1)
        text += "no separator: nothing marks where a document ends (see --separator)\n";
    text +=
        fmt::format("{} bytes of text in {}\n", counts.text_bytes, duration_text(result.seconds));
    const auto oddity = [&](int64_t count, const char* what) {
        if (count > 0) text += fmt::format("{} {}\n", count, what);
    };
    oddity(counts.text.empty_documents, "documents without text were left out");
    oddity(counts.text.lone_surrogates, "halves of surrogate pairs were read as U+FFFD");
    oddity(counts.encoded.invalid_bytes, "bytes were not UTF-8 and encoded one by one");
    oddity(counts.encoded.dropped, "characters were dropped: the tokenizer has nothing for them");
    oddity(counts.encoded.forced_cuts, "words too long for the memory bound were cut");
    return text;
}

// "chars" makes its vocabulary of the text itself, which is read twice then.
std::unique_ptr<Tokenizer> choose_tokenizer(const std::string& name,
                                            const PrepareOptions& options) {
    if (name != "chars") return make_tokenizer(name);
    CharacterSet characters;
    for_each_part(options.inputs, options.field,
                  [&](std::string_view part, bool last) { characters.add(part, last); });
    return characters.tokenizer();
}

std::unique_ptr<Tokenizer> with_separator(std::unique_ptr<Tokenizer> tokenizer,
                                          const std::string& separator) {
    if (separator == "none")
        return std::make_unique<WithSeparator>(std::move(tokenizer), std::nullopt);
    const std::vector<int32_t> ids = tokenizer->encode(separator);
    if (ids.size() != 1)
        fail(ExitCode::kUsage, "--separator {}: is {} tokens, not one", separator, ids.size());
    return std::make_unique<WithSeparator>(std::move(tokenizer), ids[0]);
}

void run(const Arguments& arguments) {
    PrepareOptions options;
    options.inputs.assign(arguments.inputs.begin(), arguments.inputs.end());
    options.out = arguments.out;
    options.validation = arguments.validation;
    options.field = arguments.field;
    options.threads = thread_count(arguments.threads);
    auto tokenizer = choose_tokenizer(arguments.tokenizer, options);
    if (!arguments.separator.empty())
        tokenizer = with_separator(std::move(tokenizer), arguments.separator);

    PrepareResult result;
    {
        ProgressLine line;
        options.on_progress = [&](const PrepareProgress& progress) { line.show(progress); };
        result = prepare(options, *tokenizer);
    }
    print(summary(arguments, result, tokenizer->separator()));
}

}  // namespace

void add_prepare_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("prepare", "Turn text into token files");
    const auto arguments = std::make_shared<Arguments>();
    command
        ->add_option("--tokenizer", arguments->tokenizer,
                     "bytes, chars (those of the inputs), or a tokenizer.json")
        ->capture_default_str();
    command->add_option("--out", arguments->out, "Folder for train.bin and validation.bin")
        ->required();
    command
        ->add_option("--validation", arguments->validation,
                     "Fraction of the documents (of the text, if there is one) to hold out; 0: "
                     "none")
        ->capture_default_str();
    command->add_option("--separator", arguments->separator,
                        "Text of the token to put after each document, or none (default: the one "
                        "that ends a text by the tokenizer's file)");
    command->add_option("--field", arguments->field, "Key of the text in JSON lines")
        ->capture_default_str();
    command
        ->add_option("--threads", arguments->threads,
                     "Threads; 0: OMP_NUM_THREADS, or all processors. The output is the same")
        ->check(CLI::Range(0, 4096));
    command
        ->add_option("INPUT", arguments->inputs,
                     "Files and folders: .txt (one document), .jsonl, .json and .ndjson (one on "
                     "each line), each also .gz, .zst or .bz2")
        ->required()
        ->expected(1, -1)
        ->allow_extra_args();
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
