#include "data/formats/open.hpp"

#include <filesystem>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"
#include "data/formats/headerless.hpp"
#include "data/formats/llmc.hpp"
#include "data/formats/megatron.hpp"
#include "data/token_file.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

// The word that data.train[].format would have.
std::string detect(const fs::path& path) {
    if (is_there(megatron_index_of(path))) return "megatron";
    if (path.extension() == ".bin" && is_there(side_file_of(path))) return "polytrain";
    if (path.extension() == ".npy") return "npy";
    if (begins_like_llmc(MappedFile(path).bytes())) return "llmc";
    fail(ExitCode::kBadConfig,
         "{}: what format is this? There is no {} beside it (Megatron) and no .json of its name "
         "(polytrain prepare), it is not called .npy (OLMo), and it has no header of llm.c. Set "
         "\"format\" beside the path: \"raw\" is ids without a header, as nanoGPT has them",
         path.string(), megatron_index_of(path).filename().string());
}

TokenType headerless_type(const std::string& dtype, int64_t vocab_size) {
    const bool wide = dtype == "uint32" || (dtype == "auto" && vocab_size > 65536);
    return wide ? TokenType::kUint32 : TokenType::kUint16;
}

std::unique_ptr<TokenSource> open_own(const std::string& path, const DataTokenizer& tokenizer,
                                      int64_t vocab_size) {
    auto file = std::make_unique<TokenFile>(path);
    const TokenFileInfo& info = file->info();
    const std::string fingerprint = tokenizer.get().fingerprint();
    if (info.tokenizer_fingerprint != fingerprint)
        fail(ExitCode::kBadConfig,
             "{}: was prepared with the tokenizer \"{}\" ({}), but data.tokenizer is \"{}\" ({})",
             path, info.tokenizer, info.tokenizer_fingerprint, tokenizer.name(), fingerprint);
    if (info.vocab_size > vocab_size)
        fail(ExitCode::kBadConfig,
             "{}: has a vocabulary of {}, larger than the model's of {} (model.vocab_size)", path,
             info.vocab_size, vocab_size);
    return file;
}

}  // namespace

OpenedTokens open_tokens(const SourceConfig& source, const DataTokenizer& tokenizer,
                         int64_t vocab_size) {
    const std::string format = source.format == "auto" ? detect(source.path) : source.format;
    if (format == "npy" || format == "raw")
        return {open_headerless(source.path, headerless_type(source.dtype, vocab_size), vocab_size),
                false};
    if (source.dtype != "auto")
        fail(ExitCode::kBadConfig,
             "{}: \"dtype\" is \"{}\", but a file of format \"{}\" says its own; leave it out",
             source.path, source.dtype, format);
    if (format == "polytrain") return {open_own(source.path, tokenizer, vocab_size), true};
    if (format == "megatron") return {open_megatron(source.path, vocab_size), false};
    if (format == "llmc") return {open_llmc(source.path, vocab_size), false};
    fail(ExitCode::kBadConfig, "{}: there is no format \"{}\"", source.path, format);
}

}  // namespace polytrain
