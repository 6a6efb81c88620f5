#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "data/token_array_writer.hpp"
#include "data/token_file_info.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// What a side file says of the tokenizer; the rest is for the caller to set.
TokenFileInfo token_file_info(const Tokenizer& tokenizer);

// Writes a token file front to back in bounded memory. Until publish() all is under temporary
// names, which the destructor removes: the final names never hold half a file.
class TokenFileWriter {
  public:
    TokenFileWriter(std::filesystem::path bin, const Tokenizer& tokenizer);
    ~TokenFileWriter();
    TokenFileWriter(const TokenFileWriter&) = delete;
    TokenFileWriter& operator=(const TokenFileWriter&) = delete;

    void begin_document();
    // Ids must be in the tokenizer's vocabulary.
    void append(std::span<const int32_t> ids);
    int64_t tokens() const { return array_->tokens(); }

    // Brings both files to the disk. Nothing can be appended afterwards.
    void finish();
    // Gives the finished files their names, in place of older ones.
    void publish();

  private:
    std::filesystem::path bin_, side_, temporary_bin_, temporary_side_;
    TokenFileInfo info_;
    std::optional<TokenArrayWriter> array_;
    bool finished_ = false;
};

}  // namespace polytrain
