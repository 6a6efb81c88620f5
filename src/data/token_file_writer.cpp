#include "data/token_file_writer.hpp"

#include <unistd.h>

#include <cstring>
#include <system_error>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

// A name beside `path` for this process's unfinished file; an older process's leftover is removed.
std::filesystem::path temporary_beside(std::filesystem::path path) {
    path += fmt::format(".tmp-{}", ::getpid());
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return path;
}

}  // namespace

TokenFileWriter::TokenFileWriter(std::filesystem::path bin, const Tokenizer& tokenizer)
    : bin_(std::move(bin)),
      side_(side_file_of(bin_)),
      temporary_bin_(temporary_beside(bin_)),
      temporary_side_(temporary_beside(side_)) {
    info_.tokenizer = tokenizer.name();
    info_.tokenizer_fingerprint = tokenizer.fingerprint();
    info_.vocab_size = tokenizer.vocab_size();
    info_.separator = tokenizer.separator();
    chunk_.reserve(kTokenChunkBytes);
    out_.emplace(temporary_bin_);
}

TokenFileWriter::~TokenFileWriter() {
    std::error_code ignored;
    std::filesystem::remove(temporary_bin_, ignored);
    std::filesystem::remove(temporary_side_, ignored);
}

void TokenFileWriter::begin_document() {
    info_.documents.push_back(info_.tokens);
}

void TokenFileWriter::append(std::span<const int32_t> ids) {
    PT_CHECK(out_ && !info_.documents.empty(), "tokens outside a document");
    const auto token_bytes = static_cast<size_t>(info_.token_bytes());
    for (const int32_t id : ids) {
        PT_CHECK(0 <= id && id < info_.vocab_size, "token {} of a vocabulary of {}", id,
                 info_.vocab_size);
        const auto* bytes = reinterpret_cast<const uint8_t*>(&id);  // little-endian
        chunk_.insert(chunk_.end(), bytes, bytes + token_bytes);
        if (chunk_.size() == kTokenChunkBytes) write_chunk();
    }
    info_.tokens += static_cast<int64_t>(ids.size());
}

void TokenFileWriter::write_chunk() {
    info_.chunks.push_back(content_hash(chunk_.data(), chunk_.size()));
    out_->write(chunk_.data(), chunk_.size());
    chunk_.clear();
}

void TokenFileWriter::finish() {
    PT_CHECK(out_, "{} is finished already", bin_.string());
    if (!chunk_.empty()) write_chunk();
    out_->commit();
    out_.reset();
    OutputFile side(temporary_side_);
    side.write(side_file_text(info_));
    side.commit();
}

void TokenFileWriter::publish() {
    PT_CHECK(!out_, "{} is published before it is finished", bin_.string());
    // The side file goes first: with it in place a new attempt knows the pair for its own, and
    // until the array follows, its hashes tell readers that the pair does not match.
    rename_durable(temporary_side_, side_);
    rename_durable(temporary_bin_, bin_);
}

}  // namespace polytrain
