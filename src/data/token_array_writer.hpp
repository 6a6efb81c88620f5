#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "data/token_file_info.hpp"

namespace polytrain {

// Writes the array of a token file front to back, in bounded memory, and hashes its chunks.
class TokenArrayWriter {
  public:
    // A new file; it must not exist yet.
    TokenArrayWriter(std::filesystem::path path, int64_t vocab_size);
    // Goes on after the first `tokens` of a file that has at least these; `chunks` are the hashes
    // of the full chunks among them.
    TokenArrayWriter(std::filesystem::path path, int64_t vocab_size, int64_t tokens,
                     std::vector<std::string> chunks);

    // Ids must be in the vocabulary.
    void append(std::span<const int32_t> ids);
    int64_t tokens() const { return tokens_; }
    // Of the full chunks; after finish(), of all.
    const std::vector<std::string>& chunks() const { return chunks_; }

    // All that was appended is on the disk.
    void sync();
    // Also closes the file: nothing can be appended any more.
    void finish();

  private:
    void write_pending();
    void end_chunk();

    std::filesystem::path path_;
    int64_t vocab_size_, token_bytes_;
    int64_t tokens_ = 0;
    std::vector<std::string> chunks_;
    std::vector<uint8_t> chunk_;                 // the one that is not full yet
    size_t chunk_size_ = 0, chunk_written_ = 0;  // its bytes, and how many are in the file
    std::optional<OutputFile> out_;
};

}  // namespace polytrain
