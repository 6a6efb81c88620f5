#include "data/prepare/checks.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "data/token_file_info.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

void check_options(const PrepareOptions& options) {
    if (!(options.validation >= 0 && options.validation < 1))
        fail(ExitCode::kUsage, "the validation fraction is {}; it must be at least 0 and below 1",
             options.validation);
    if (options.threads < 1)
        fail(ExitCode::kUsage, "{} threads; there must be at least 1", options.threads);
}

// An output among the inputs would be read as one of them by the next prepare.
void check_apart(const fs::path& out, const fs::path& input) {
    if (!fs::is_directory(input)) return;
    const fs::path folder = fs::weakly_canonical(input), inside = fs::weakly_canonical(out);
    const auto [end, ignored] =
        std::mismatch(folder.begin(), folder.end(), inside.begin(), inside.end());
    if (end == folder.end())
        fail(ExitCode::kUsage, "{}: the output folder is within the input {}; choose another",
             out.string(), input.string());
}

// What is known of a token file in the way: refuses one that prepare() did not write.
std::optional<TokenFileInfo> check_replaceable(const fs::path& bin) {
    const fs::path side = side_file_of(bin);
    if (!fs::exists(bin) && !fs::exists(side)) return std::nullopt;
    try {
        return read_side_file(side);
    } catch (const Error& error) {
        fail(ExitCode::kCannotWrite,
             "{}: is in the way and was not written by prepare ({}); remove it or choose another "
             "folder",
             bin.string(), error.what());
    }
}

// A tokenizer.json may be the only copy of somebody's tokenizer: one that isn't this stays, unless
// prepare made it from an earlier text's characters.
void check_tokenizer_file(const fs::path& file, const Tokenizer& tokenizer,
                          const std::optional<TokenFileInfo>& older) {
    if (!fs::exists(file) || (older && older->tokenizer == "chars")) return;
    const std::string text = tokenizer.file_text();
    std::error_code error;
    if (!text.empty() && fs::file_size(file, error) == text.size() && read_file(file) == text)
        return;
    fail(ExitCode::kCannotWrite,
         "{}: is in the way and holds another tokenizer; remove it or choose another folder",
         file.string());
}

}  // namespace

std::vector<TextInput> check_prepare(const PrepareOptions& options, const Tokenizer& tokenizer) {
    check_options(options);
    TextInputs inputs = find_text_inputs(options.inputs);
    if (inputs.skipped > 0)
        log::info("{} files in the input folders are of other kinds and not read", inputs.skipped);
    for (const fs::path& input : options.inputs) {
        check_apart(options.out, input);
        if (fs::is_regular_file(input) && fs::file_size(input) == 0)
            fail(ExitCode::kCorrupt, "{}: is empty", input.string());
    }
    const auto older = check_replaceable(options.out / "train.bin");
    check_replaceable(options.out / "validation.bin");
    check_tokenizer_file(options.out / "tokenizer.json", tokenizer, older);
    return std::move(inputs.files);
}

}  // namespace polytrain
