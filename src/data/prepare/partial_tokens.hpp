#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/file.hpp"
#include "data/prepare/partial_folder.hpp"
#include "data/token_array_writer.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// The tokens of all documents in one array, the future train.bin, that can go on after a kill:
//   train.bin   the array
//   documents   the token index at which each document starts, 64 bits each
//   chunks      the hash of each full chunk of the array, 32 digits each
// Memory is 8 bytes a document and what the hashes of the array's chunks take.
class PartialTokens {
  public:
    // From nothing.
    PartialTokens(const PartialFolder& folder, const Tokenizer& tokenizer);
    // Goes on after the first of what sync() brought to the disk; the rest is cut off.
    PartialTokens(const PartialFolder& folder, const Tokenizer& tokenizer, int64_t documents,
                  int64_t tokens);
    // Whether the folder holds that much.
    static bool holds(const PartialFolder& folder, const Tokenizer& tokenizer, int64_t documents,
                      int64_t tokens);

    void begin_document() { documents_.push_back(array_->tokens()); }
    void append(std::span<const int32_t> ids) { array_->append(ids); }
    int64_t documents() const { return std::ssize(documents_); }
    int64_t tokens() const { return array_->tokens(); }

    // All that was appended is on the disk.
    void sync();
    // Ends the array. Writes train.json for its first `train_documents`, and copies the rest, if
    // any, to validation.bin with its side file. Returns how many tokens the first have.
    int64_t split(int64_t train_documents);

  private:
    void write_train_side(int64_t documents, int64_t tokens);
    void copy_to_validation(int64_t first_document);

    const PartialFolder& folder_;
    const Tokenizer& tokenizer_;
    std::vector<int64_t> documents_;
    std::optional<TokenArrayWriter> array_;
    std::optional<OutputFile> documents_file_, chunks_file_;
    size_t documents_written_ = 0, chunks_written_ = 0;
};

}  // namespace polytrain
