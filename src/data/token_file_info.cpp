#include "data/token_file_info.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
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

// nlohmann would make an integer of true, 1.5 and 2^64 - 1 as well.
int64_t integer(const json& value, const std::string& name) {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
    if (!fits) fail(ExitCode::kCorrupt, "{}: {} is in the place of an integer", name, value.dump());
    return value.get<int64_t>();
}

TokenFileInfo parse_info(const json& side, const std::string& name) {
    TokenFileInfo info;
    info.tokenizer = side.at("tokenizer").get<std::string>();
    info.tokenizer_fingerprint = side.at("tokenizer_fingerprint").get<std::string>();
    info.vocab_size = integer(side.at("vocab_size"), name);
    if (!side.at("separator").is_null()) {
        const int64_t id = integer(side.at("separator"), name);
        info.separator = static_cast<int32_t>(id == static_cast<int32_t>(id) ? id : -1);
    }
    info.tokens = integer(side.at("tokens"), name);
    const auto& documents = side.at("documents").get_ref<const json::array_t&>();
    info.documents.reserve(documents.size());
    for (const json& start : documents) info.documents.push_back(integer(start, name));
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
    return parse_side_file(read_file(side, kMaxSideBytes), side.string());
}

TokenFileInfo parse_side_file(std::string_view text, const std::string& name) {
    const json document = parse_sealed_json(text, name);
    if (document.value("format", json()) != kFormat)
        fail(ExitCode::kCorrupt, "{}: does not describe a token file", name);
    if (document.value("version", json()) != kVersion)
        fail(ExitCode::kCorrupt, "{}: format version {}, this program reads version {}", name,
             document.value("version", json()).dump(), kVersion);
    try {
        TokenFileInfo info = parse_info(document, name);
        if (const char* key = contradiction(info, document))
            fail(ExitCode::kCorrupt, "{}: \"{}\" contradicts the rest", name, key);
        return info;
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", name, error.what());
    }
}

}  // namespace polytrain
