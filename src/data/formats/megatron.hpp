#pragma once
// Megatron-LM's indexed dataset: X.bin holds the ids and nothing else, X.idx says how (all
// little-endian, nothing aligned):
//
//   byte  0  "MMIDIDX\0\0"        17  u8  dtype: 8 uint16, 4 int32
//         9  u64 version, 1       18  u64 sequences      26  u64 entries of the document index
//   34  i32 size of each sequence in tokens; then i64 byte of X.bin at which each starts; then i64
//       document index: the sequence at which each document starts, and at last their count.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "data/token_array.hpp"
#include "data/token_source.hpp"

namespace polytrain {

struct MegatronIndex {
    TokenType type = TokenType::kUint16;
    int64_t sequences = 0, documents = 0, tokens = 0;
};

// Checks all of an index: sizes and pointers must tile X.bin's `bin_bytes` in order, documents the
// sequences, and no byte may be left over. Else exit 65 with `name` (X.idx) and the byte.
MegatronIndex parse_megatron_index(std::span<const std::byte> index, int64_t bin_bytes,
                                   const std::string& name);

// X.idx for X.bin, X.idx or X.
std::filesystem::path megatron_index_of(const std::filesystem::path& path);

// `path` is X.bin, X.idx or X. Either file missing: exit 66; damaged, or an id outside
// [0, vocab_size): exit 65.
std::unique_ptr<TokenSource> open_megatron(const std::filesystem::path& path, int64_t vocab_size);

}  // namespace polytrain
