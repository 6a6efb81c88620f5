#include "data/token_file_writer.hpp"

#include <unistd.h>

#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"

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

TokenFileInfo token_file_info(const Tokenizer& tokenizer) {
    TokenFileInfo info;
    info.tokenizer = tokenizer.name();
    info.tokenizer_fingerprint = tokenizer.fingerprint();
    info.vocab_size = tokenizer.vocab_size();
    info.separator = tokenizer.separator();
    return info;
}

TokenFileWriter::TokenFileWriter(std::filesystem::path bin, const Tokenizer& tokenizer)
    : bin_(std::move(bin)),
      side_(side_file_of(bin_)),
      temporary_bin_(temporary_beside(bin_)),
      temporary_side_(temporary_beside(side_)),
      info_(token_file_info(tokenizer)) {
    array_.emplace(temporary_bin_, info_.vocab_size);
}

TokenFileWriter::~TokenFileWriter() {
    std::error_code ignored;
    std::filesystem::remove(temporary_bin_, ignored);
    std::filesystem::remove(temporary_side_, ignored);
}

void TokenFileWriter::begin_document() {
    info_.documents.push_back(array_->tokens());
}

void TokenFileWriter::append(std::span<const int32_t> ids) {
    PT_CHECK(!info_.documents.empty(), "tokens outside a document");
    array_->append(ids);
}

void TokenFileWriter::finish() {
    array_->finish();
    info_.tokens = array_->tokens();
    info_.chunks = array_->chunks();
    OutputFile side(temporary_side_);
    side.write(side_file_text(info_));
    side.commit();
    finished_ = true;
}

void TokenFileWriter::publish() {
    PT_CHECK(finished_, "{} is published before it is finished", bin_.string());
    // The side file goes first: with it in place a new attempt knows the pair for its own, and
    // until the array follows, its hashes tell readers that the pair does not match.
    rename_durable(temporary_side_, side_);
    rename_durable(temporary_bin_, bin_);
}

}  // namespace polytrain
