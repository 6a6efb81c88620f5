#pragma once
// llm.c's shards: 256 int32 {magic, version, tokens, 0, ...}, then the ids. Magic 20240520, version
// 1: uint16 (GPT-2); 20240801, version 7: uint32 (Llama 3).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "data/token_array.hpp"
#include "data/token_source.hpp"

namespace polytrain {

inline constexpr int64_t kLlmcHeaderBytes = 256 * 4;

struct LlmcHeader {
    TokenType type = TokenType::kUint16;
    int64_t tokens = 0;
};

// True where the first bytes are those of a shard, or of an llm.c evaluation file.
bool begins_like_llmc(std::span<const std::byte> bytes);

// Checks the header, and that the ids end where the file does. Else exit 65 with `name` and the
// byte.
LlmcHeader parse_llmc(std::span<const std::byte> bytes, const std::string& name);

// Missing: exit 66; damaged, or an id outside [0, vocab_size): exit 65.
std::unique_ptr<TokenSource> open_llmc(const std::filesystem::path& path, int64_t vocab_size);

}  // namespace polytrain
