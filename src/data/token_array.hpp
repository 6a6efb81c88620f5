#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/file.hpp"

namespace polytrain {

// Files are hashed in pieces of this size, so that damage is told with its place.
inline constexpr int64_t kTokenChunkBytes = int64_t{1} << 20;

// Little-endian, as every format here has it.
enum class TokenType { kUint16, kUint32, kInt32 };
int64_t bytes_of(TokenType type);
const char* name_of(TokenType type);

// The ids in a mapped file: an array of one type that starts at some byte of it.
class TokenArray {
  public:
    // The file must hold the array; `offset` is a multiple of the type's size.
    TokenArray(std::filesystem::path path, MappedFile file, int64_t offset, int64_t tokens,
               TokenType type);

    int64_t tokens() const { return tokens_; }
    TokenType type() const { return type_; }
    // Ids [begin, begin + count), which must lie within the array.
    void read(int64_t begin, int64_t count, int32_t* out) const;

    // Reads it all once. Refuses (exit 65, with path and byte) chunks whose hash is not the one in
    // `expected`, where that is given, and ids outside [0, vocab_size). Returns the chunks' hashes.
    std::vector<std::string> sweep(int64_t vocab_size,
                                   const std::vector<std::string>* expected = nullptr) const;

  private:
    const std::byte* data() const { return file_.bytes().data() + offset_; }

    std::filesystem::path path_;
    MappedFile file_;
    int64_t offset_, tokens_;
    TokenType type_;
};

}  // namespace polytrain
