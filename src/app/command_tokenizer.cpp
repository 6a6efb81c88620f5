#include "app/command_tokenizer.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/strict_json.hpp"
#include "data/tokenizer.hpp"
#include "data/tokenizer/characters.hpp"
#include "data/tokenizer/train_tokenizer.hpp"

namespace polytrain {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;

// Standard input, or a file: read in blocks, since either may be longer than memory.
class Input {
  public:
    explicit Input(const std::string& path) : name_(path.empty() ? "standard input" : path) {
        if (path.empty()) return;
        file_ = std::fopen(path.c_str(), "rb");
        if (file_ == nullptr)
            fail(ExitCode::kInputMissing, "{}: cannot open: {}", path, errno_text(errno));
    }
    ~Input() {
        if (file_ != stdin) std::fclose(file_);
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

    // The next bytes; none at the end.
    std::string next() {
        std::string block(kBlockBytes, '\0');
        block.resize(std::fread(block.data(), 1, block.size(), file_));
        if (std::ferror(file_) != 0)
            fail(ExitCode::kIo, "{}: read failed: {}", name_, errno_text(errno));
        return block;
    }
    const std::string& name() const { return name_; }

  private:
    std::string name_;
    std::FILE* file_ = stdin;
};

struct Arguments {
    std::string tokenizer, file, out, family = "byte-level", field = "text";
    bool begin = false, end = false;
    int64_t vocab_size = 0;
    int threads = 0;
    std::vector<std::string> inputs;
};

// The id that --bos or --eos asks for.
int32_t wanted(std::optional<int32_t> id, const char* option, const Arguments& arguments) {
    if (!id)
        fail(ExitCode::kUsage, "{}: the tokenizer {} says of no token that it stands there", option,
             arguments.tokenizer);
    return *id;
}

// "chars" makes its vocabulary of the text itself, which is read twice then.
std::unique_ptr<Tokenizer> tokenizer_for_text(const Arguments& arguments) {
    if (arguments.tokenizer != "chars") return make_tokenizer(arguments.tokenizer);
    if (arguments.file.empty())
        fail(ExitCode::kUsage, "--tokenizer chars reads the text twice: give it by --file");
    CharacterSet characters;
    Input input(arguments.file);
    for (std::string block; !(block = input.next()).empty();) characters.add(block, false);
    characters.add("", true);
    return characters.tokenizer();
}

void encode(const Arguments& arguments) {
    const auto tokenizer = tokenizer_for_text(arguments);
    const auto encoder = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    if (arguments.begin) ids.push_back(wanted(tokenizer->begin_of_text(), "--bos", arguments));
    if (arguments.end) wanted(tokenizer->separator(), "--eos", arguments);
    const char* separator = "[";
    const auto flush = [&] {
        std::string text;
        for (const int32_t id : ids) {
            text += separator + std::to_string(id);
            separator = ",";
        }
        print(text);
        ids.clear();
    };
    Input input(arguments.file);
    for (bool last = false; !last; flush()) {
        const std::string block = input.next();
        last = block.empty();
        encoder->encode(block, last, ids);
        if (last && arguments.end) ids.push_back(*tokenizer->separator());
    }
    print(*separator == '[' ? "[]\n" : "]\n");
    const EncodeReport& report = encoder->report();
    const auto tell = [](int64_t count, const char* what) {
        if (count > 0) log::warn("{} {}", count, what);
    };
    tell(report.invalid_bytes, "bytes are not UTF-8: encoded one by one");
    tell(report.dropped, "characters are not in the vocabulary: left out");
    tell(report.forced_cuts, "words were too long for one piece: cut, where ids may depend on it");
}

void decode(const Arguments& arguments) {
    const auto tokenizer = make_tokenizer(arguments.tokenizer);
    Input input(arguments.file);
    std::string text;
    for (std::string block; !(block = input.next()).empty();) text += block;
    const nlohmann::json array = parse_strict_json(text, input.name(), 2);
    if (!array.is_array()) fail(ExitCode::kCorrupt, "{}: is not a JSON array of ids", input.name());
    std::vector<int32_t> ids;
    for (const nlohmann::json& id : array) {
        if (!id.is_number_integer() || id < 0 || id >= tokenizer->vocab_size())
            fail(ExitCode::kCorrupt, "{}: element {} is {}; ids are 0 to {}", input.name(),
                 ids.size(), id.dump(), tokenizer->vocab_size() - 1);
        ids.push_back(id.get<int32_t>());
    }
    print(tokenizer->decode(ids));
}

void inspect(const Arguments& arguments) {
    const auto tokenizer = make_tokenizer(arguments.tokenizer);
    const auto token = [&](std::optional<int32_t> id) -> std::string {
        return id ? fmt::format("{} {}", *id, nlohmann::json(tokenizer->decode({&*id, 1})).dump())
                  : "none";
    };
    print(fmt::format(
        "kind           {}\nvocabulary     {}\nbegin of text  {}\nseparator      {}\n"
        "fingerprint    {}\n{}",
        tokenizer->name(), tokenizer->vocab_size(), token(tokenizer->begin_of_text()),
        token(tokenizer->separator()), tokenizer->fingerprint(), tokenizer->description()));
}

void train(const Arguments& arguments) {
    TokenizerTraining training;
    training.inputs = {arguments.inputs.begin(), arguments.inputs.end()};
    training.field = arguments.field;
    training.family =
        arguments.family == "llama" ? TokenizerFamily::kLlama : TokenizerFamily::kByteLevel;
    training.vocab_size = arguments.vocab_size;
    training.threads = thread_count(arguments.threads);
    const std::string text = train_tokenizer(training);
    write_file_atomic(arguments.out, text);
    print(fmt::format("{}: vocabulary of {}\n", arguments.out,
                      make_tokenizer(arguments.out)->vocab_size()));
}

void add_tokenizer_option(CLI::App* command, Arguments& arguments) {
    command->add_option("--tokenizer", arguments.tokenizer, "bytes, chars, or a tokenizer.json")
        ->required();
}

void add_encode(CLI::App& parent, const std::shared_ptr<Arguments>& arguments) {
    CLI::App* command =
        parent.add_subcommand("encode", "Text to token ids, printed as a JSON array");
    add_tokenizer_option(command, *arguments);
    command->add_option("--file", arguments->file, "The text (default: standard input)");
    command->add_flag("--bos", arguments->begin, "Begin with the token that begins a text");
    command->add_flag("--eos", arguments->end, "End with the token that ends a text");
    command->callback([arguments] { encode(*arguments); });
}

void add_decode(CLI::App& parent, const std::shared_ptr<Arguments>& arguments) {
    CLI::App* command =
        parent.add_subcommand("decode", "A JSON array of token ids to the bytes they stand for");
    add_tokenizer_option(command, *arguments);
    command->add_option("--file", arguments->file, "The array (default: standard input)");
    command->callback([arguments] { decode(*arguments); });
}

}  // namespace

void add_tokenizer_command(CLI::App& app) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* group = app.add_subcommand("tokenizer", "Train, look into and try tokenizers");
    group->require_subcommand(1);
    add_encode(*group, arguments);
    add_decode(*group, arguments);
    add_encode(app, arguments);
    add_decode(app, arguments);

    CLI::App* inspect_command = group->add_subcommand("inspect", "What a tokenizer is made of");
    add_tokenizer_option(inspect_command, *arguments);
    inspect_command->callback([arguments] { inspect(*arguments); });

    CLI::App* train_command = group->add_subcommand(
        "train", "Learn byte-pair encoding from texts and write a tokenizer.json");
    train_command->add_option("--vocab-size", arguments->vocab_size, "Tokens, all included")
        ->required();
    train_command->add_option("--out", arguments->out, "The file to write")->required();
    train_command
        ->add_option("--family", arguments->family,
                     "byte-level: GPT-2's form; llama: with U+2581 for spaces and byte fallback")
        ->check(CLI::IsMember({"byte-level", "llama"}))
        ->capture_default_str();
    train_command->add_option("--field", arguments->field, "Key of JSON lines that holds the text")
        ->capture_default_str();
    train_command
        ->add_option("--threads", arguments->threads,
                     "0: OMP_NUM_THREADS where set, else all processors")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    train_command
        ->add_option("INPUT", arguments->inputs,
                     "Texts: .txt or .jsonl, each also .gz, .zst or .bz2, and folders of them")
        ->required();
    train_command->callback([arguments] { train(*arguments); });
}

}  // namespace polytrain
