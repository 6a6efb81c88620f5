#include "data/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"
#include "data/token_file_writer.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

// Text is encoded in blocks of about this size, which bounds the memory of a document.
constexpr size_t kBlockBytes = size_t{1} << 20;

bool is_continuation(char c) {
    return (static_cast<uint8_t>(c) & 0xc0) == 0x80;
}

// The start of the UTF-8 character that holds byte `at`; `at` itself where the text isn't UTF-8.
size_t character_start(std::string_view text, size_t at) {
    for (size_t back = 0; back <= std::min<size_t>(at, 3); ++back)
        if (!is_continuation(text[at - back])) return at - back;
    return at;
}

std::string_view text_of(const MappedFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void check_inputs(const PrepareOptions& options) {
    if (options.inputs.empty()) fail(ExitCode::kUsage, "no input files are given");
    if (!(options.validation >= 0 && options.validation < 1))
        fail(ExitCode::kUsage, "the validation fraction is {}; it must be at least 0 and below 1",
             options.validation);
    std::set<fs::path> seen;
    for (const fs::path& input : options.inputs) {
        std::error_code error;
        const fs::path real = fs::canonical(input, error);
        if (error)
            fail(ExitCode::kInputMissing, "{}: cannot open: {}", input.string(), error.message());
        if (fs::is_directory(real))
            fail(ExitCode::kUsage, "{}: is a folder; name the .txt files in it", input.string());
        if (input.extension() != ".txt")
            fail(ExitCode::kUsage,
                 "{}: only .txt files (UTF-8 text, one document each) can be read", input.string());
        if (!seen.insert(real).second) fail(ExitCode::kUsage, "{}: is given twice", input.string());
        if (fs::file_size(real) == 0) fail(ExitCode::kCorrupt, "{}: is empty", input.string());
    }
}

// Refuses to replace a token file that prepare() did not write.
void check_replaceable(const fs::path& bin) {
    const fs::path side = side_file_of(bin);
    if (!fs::exists(bin) && !fs::exists(side)) return;
    try {
        read_side_file(side);
    } catch (const Error& error) {
        fail(ExitCode::kCannotWrite,
             "{}: is in the way and was not written by prepare ({}); remove it or choose another "
             "folder",
             bin.string(), error.what());
    }
}

void append_text(TokenFileWriter& writer, const Tokenizer& tokenizer, std::string_view text) {
    writer.begin_document();
    while (!text.empty()) {
        const size_t size =
            text.size() <= kBlockBytes ? text.size() : character_start(text, kBlockBytes);
        writer.append(tokenizer.encode(text.substr(0, size)));
        text.remove_prefix(size);
    }
    if (const std::optional<int32_t> separator = tokenizer.separator())
        writer.append({&*separator, 1});
}

// Writes the last part of a single document to `validation`, the rest to `train`.
void split_document(const fs::path& input, double fraction, const Tokenizer& tokenizer,
                    TokenFileWriter& train, TokenFileWriter& validation) {
    const MappedFile file(input);
    const std::string_view text = text_of(file);
    const auto wanted = static_cast<size_t>(static_cast<double>(text.size()) * (1 - fraction));
    const size_t cut = character_start(text, std::min(wanted, text.size() - 1));
    if (cut == 0)
        fail(ExitCode::kCorrupt, "{}: {} bytes are too few to hold out a fraction of {}",
             input.string(), text.size(), fraction);
    append_text(train, tokenizer, text.substr(0, cut));
    append_text(validation, tokenizer, text.substr(cut));
}

}  // namespace

PrepareResult prepare(const PrepareOptions& options, const Tokenizer& tokenizer) {
    check_inputs(options);
    make_folders(options.out);
    const fs::path train_path = options.out / "train.bin";
    const fs::path validation_path = options.out / "validation.bin";
    check_replaceable(train_path);
    check_replaceable(validation_path);

    PrepareResult result;
    TokenFileWriter train(train_path, tokenizer);
    std::optional<TokenFileWriter> validation;
    if (options.validation > 0) validation.emplace(validation_path, tokenizer);
    const auto documents = static_cast<int64_t>(options.inputs.size());
    if (validation && documents == 1) {
        split_document(options.inputs[0], options.validation, tokenizer, train, *validation);
        result.train_documents = result.validation_documents = 1;
    } else {
        const auto share = std::llround(options.validation * static_cast<double>(documents));
        if (validation) result.validation_documents = std::clamp<int64_t>(share, 1, documents - 1);
        result.train_documents = documents - result.validation_documents;
        for (int64_t i = 0; i < documents; ++i) {
            const MappedFile file(options.inputs[static_cast<size_t>(i)]);
            append_text(i < result.train_documents ? train : *validation, tokenizer, text_of(file));
        }
    }
    result.train_tokens = train.tokens();
    train.finish();
    if (validation) {
        result.validation_tokens = validation->tokens();
        validation->finish();
    }

    train.publish();
    if (validation) {
        validation->publish();
    } else {  // an older one would be held out of another text
        fs::remove(validation_path);
        fs::remove(side_file_of(validation_path));
    }
    return result;
}

}  // namespace polytrain
