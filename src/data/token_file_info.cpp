#include "data/token_file_info.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "polytrain-tokens";
constexpr int kVersion = 1;
constexpr uint64_t kMaxSideBytes = uint64_t{1} << 32;

std::string dtype_of(const TokenFileInfo& info) {
    return info.token_bytes() == 2 ? "uint16" : "uint32";
}

TokenFileInfo parse_info(const json& side) {
    TokenFileInfo info;
    info.tokenizer = side.at("tokenizer").get<std::string>();
    info.tokenizer_fingerprint = side.at("tokenizer_fingerprint").get<std::string>();
    info.vocab_size = side.at("vocab_size").get<int64_t>();
    if (!side.at("separator").is_null()) info.separator = side.at("separator").get<int32_t>();
    info.tokens = side.at("tokens").get<int64_t>();
    info.documents = side.at("documents").get<std::vector<int64_t>>();
    info.chunks = side.at("chunks").get<std::vector<std::string>>();
    return info;
}

// What is wrong with numbers that no writer of ours would put together, or nothing.
const char* contradiction(const TokenFileInfo& info, const json& side) {
    if (info.vocab_size < 1 || info.vocab_size > int64_t{1} << 31) return "vocab_size";
    if (side.at("dtype") != dtype_of(info)) return "dtype";
    if (side.at("chunk_bytes") != kTokenChunkBytes) return "chunk_bytes";
    if (info.separator && (*info.separator < 0 || *info.separator >= info.vocab_size))
        return "separator";
    if (info.tokens < 0) return "tokens";
    const std::vector<int64_t>& starts = info.documents;
    const bool valid = starts.empty() ? info.tokens == 0
                                      : starts.front() == 0 && starts.back() <= info.tokens &&
                                            std::is_sorted(starts.begin(), starts.end());
    return valid ? nullptr : "documents";
}

}  // namespace

std::filesystem::path side_file_of(const std::filesystem::path& bin) {
    if (bin.extension() != ".bin")
        fail(ExitCode::kBadConfig, "{}: a token file's name ends in .bin", bin.string());
    return std::filesystem::path(bin).replace_extension(".json");
}

std::string side_file_text(const TokenFileInfo& info) {
    return seal_json({{"format", kFormat},
                      {"version", kVersion},
                      {"dtype", dtype_of(info)},
                      {"vocab_size", info.vocab_size},
                      {"tokens", info.tokens},
                      {"tokenizer", info.tokenizer},
                      {"tokenizer_fingerprint", info.tokenizer_fingerprint},
                      {"separator", info.separator ? json(*info.separator) : json(nullptr)},
                      {"documents", info.documents},
                      {"chunk_bytes", kTokenChunkBytes},
                      {"chunks", info.chunks}});
}

TokenFileInfo read_side_file(const std::filesystem::path& side) {
    const json document = read_sealed_json(side, kMaxSideBytes);
    if (document.value("format", json()) != kFormat)
        fail(ExitCode::kCorrupt, "{}: does not describe a token file", side.string());
    if (document.value("version", json()) != kVersion)
        fail(ExitCode::kCorrupt, "{}: format version {}, this program reads version {}",
             side.string(), document.value("version", json()).dump(), kVersion);
    try {
        TokenFileInfo info = parse_info(document);
        if (const char* key = contradiction(info, document))
            fail(ExitCode::kCorrupt, "{}: \"{}\" contradicts the rest", side.string(), key);
        return info;
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", side.string(), error.what());
    }
}

}  // namespace polytrain
