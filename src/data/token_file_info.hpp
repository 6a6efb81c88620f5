#pragma once
// Token files: X.bin, a headerless array of little-endian uint16 (uint32 when the vocabulary is
// over 65,536), and the side file X.json, sealed JSON that says what the array holds:
//
//   format "polytrain-tokens", version 1, dtype "uint16" or "uint32", vocab_size, tokens (count),
//   tokenizer (name), tokenizer_fingerprint, separator (id or null),
//   documents: the token index at which each document starts,
//   chunk_bytes and chunks: the content hash of each 1 MiB of X.bin.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/token_array.hpp"

namespace polytrain {

// 2 or 4.
constexpr int64_t token_bytes_of(int64_t vocab_size) {
    return vocab_size > 65536 ? 4 : 2;
}

// What a side file says.
struct TokenFileInfo {
    std::string tokenizer;
    std::string tokenizer_fingerprint;
    int64_t vocab_size = 0;
    std::optional<int32_t> separator;
    int64_t tokens = 0;
    std::vector<int64_t> documents;
    std::vector<std::string> chunks;

    int64_t token_bytes() const { return token_bytes_of(vocab_size); }
};

// X.json for X.bin; a path that does not end in .bin: exit 78.
std::filesystem::path side_file_of(const std::filesystem::path& bin);

std::string side_file_text(const TokenFileInfo& info);

// Checks a side file by itself. Damaged or another version: exit 65 with `name` (X.json).
TokenFileInfo parse_side_file(std::string_view text, const std::string& name);
// The same of a file. Missing: exit 66.
TokenFileInfo read_side_file(const std::filesystem::path& side);

}  // namespace polytrain
