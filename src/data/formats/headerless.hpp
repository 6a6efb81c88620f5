#pragma once
// Ids and nothing else: what `dolma tokens` writes under the name .npy (no numpy file) for OLMo,
// and nanoGPT's .bin.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "data/token_array.hpp"
#include "data/token_source.hpp"

namespace polytrain {

// How many ids of this type the file holds. Part of an id, a numpy header, or 4-byte ids that were
// said to have 2: exit 65.
int64_t parse_headerless(std::span<const std::byte> bytes, TokenType type, const std::string& name);

// Missing: exit 66; damaged, or an id outside [0, vocab_size): exit 65.
std::unique_ptr<TokenSource> open_headerless(const std::filesystem::path& path, TokenType type,
                                             int64_t vocab_size);

}  // namespace polytrain
