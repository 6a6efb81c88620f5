#include "data/token_file.hpp"

#include "core/checked.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

TokenArray map_array(const std::filesystem::path& bin, const TokenFileInfo& info) {
    MappedFile file(bin);
    const auto found = static_cast<int64_t>(file.bytes().size());
    if (checked_product({info.tokens, info.token_bytes()}) != found)
        fail(ExitCode::kCorrupt, "{}: {} bytes, but {} says {} tokens of {} bytes each",
             bin.string(), found, side_file_of(bin).string(), info.tokens, info.token_bytes());
    const int64_t chunks = ceil_div(found, kTokenChunkBytes);
    if (chunks != static_cast<int64_t>(info.chunks.size()))
        fail(ExitCode::kCorrupt, "{}: {} chunk hashes for {} chunks", side_file_of(bin).string(),
             info.chunks.size(), chunks);
    const TokenType type = info.token_bytes() == 2 ? TokenType::kUint16 : TokenType::kUint32;
    return {bin, std::move(file), 0, info.tokens, type};
}

}  // namespace

TokenFile::TokenFile(const std::filesystem::path& bin)
    : info_(read_side_file(side_file_of(bin))), array_(map_array(bin, info_)) {
    array_.sweep(info_.vocab_size, &info_.chunks);
}

std::string TokenFile::fingerprint() const {
    std::string text = fmt::format("{} {} {} {}", info_.tokenizer_fingerprint, info_.vocab_size,
                                   info_.tokens, info_.documents.size());
    for (const std::string& chunk : info_.chunks) text += "\n" + chunk;
    return content_hash(text);
}

}  // namespace polytrain
