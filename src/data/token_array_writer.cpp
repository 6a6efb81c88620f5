#include "data/token_array_writer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

// Stores ids as numbers of type T; says whether all are below `limit`.
template <class T>
bool store(std::span<const int32_t> ids, uint32_t limit, uint8_t* out) {
    bool valid = true;
    for (size_t i = 0; i < ids.size(); ++i) {
        const auto id = static_cast<uint32_t>(ids[i]);
        const auto stored = static_cast<T>(id);  // little-endian, as the file
        valid &= id < limit;
        std::memcpy(out + i * sizeof(T), &stored, sizeof(T));
    }
    return valid;
}

}  // namespace

TokenArrayWriter::TokenArrayWriter(std::filesystem::path path, int64_t vocab_size)
    : path_(std::move(path)),
      vocab_size_(vocab_size),
      token_bytes_(token_bytes_of(vocab_size)),
      chunk_(kTokenChunkBytes) {
    out_.emplace(path_);
}

TokenArrayWriter::TokenArrayWriter(std::filesystem::path path, int64_t vocab_size, int64_t tokens,
                                   std::vector<std::string> chunks)
    : path_(std::move(path)),
      vocab_size_(vocab_size),
      token_bytes_(token_bytes_of(vocab_size)),
      tokens_(tokens),
      chunks_(std::move(chunks)),
      chunk_(kTokenChunkBytes) {
    const int64_t bytes = tokens * token_bytes_;
    PT_CHECK(std::ssize(chunks_) == bytes / kTokenChunkBytes, "{} hashes for {} bytes",
             chunks_.size(), bytes);
    out_.emplace(path_, static_cast<uint64_t>(bytes));
    InputFile written(path_);
    written.seek(static_cast<uint64_t>(bytes - bytes % kTokenChunkBytes));
    const std::span<char> all(reinterpret_cast<char*>(chunk_.data()), chunk_.size());
    while (const size_t got = written.read(all.subspan(chunk_size_))) chunk_size_ += got;
    chunk_written_ = chunk_size_;
}

void TokenArrayWriter::append(std::span<const int32_t> ids) {
    PT_CHECK(out_, "{} is finished", path_.string());
    while (!ids.empty()) {
        const size_t room = (chunk_.size() - chunk_size_) / static_cast<size_t>(token_bytes_);
        const auto now = ids.first(std::min(room, ids.size()));
        uint8_t* out = chunk_.data() + chunk_size_;
        const auto limit = static_cast<uint32_t>(vocab_size_);
        const bool valid =
            token_bytes_ == 2 ? store<uint16_t>(now, limit, out) : store<uint32_t>(now, limit, out);
        PT_CHECK(valid, "a token is not in the vocabulary of {}", vocab_size_);
        chunk_size_ += now.size() * static_cast<size_t>(token_bytes_);
        tokens_ += static_cast<int64_t>(now.size());
        ids = ids.subspan(now.size());
        if (chunk_size_ == chunk_.size()) end_chunk();
    }
}

void TokenArrayWriter::write_pending() {
    out_->write(chunk_.data() + chunk_written_, chunk_size_ - chunk_written_);
    chunk_written_ = chunk_size_;
}

void TokenArrayWriter::end_chunk() {
    chunks_.push_back(content_hash(chunk_.data(), chunk_size_));
    write_pending();
    chunk_size_ = chunk_written_ = 0;
}

void TokenArrayWriter::sync() {
    write_pending();
    out_->sync();
}

void TokenArrayWriter::finish() {
    PT_CHECK(out_, "{} is finished already", path_.string());
    if (chunk_size_ > 0) end_chunk();
    out_->commit();
    out_.reset();
}

}  // namespace polytrain
