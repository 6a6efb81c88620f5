#include "data/prepare/partial_tokens.hpp"

#include <algorithm>
#include <string>
#include <system_error>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "data/token_file_writer.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHashDigits = 32;
constexpr int64_t kCopiedAtOnce = int64_t{1} << 16;  // tokens

uint64_t bytes_of_documents(int64_t documents) {
    return static_cast<uint64_t>(documents) * sizeof(int64_t);
}
uint64_t bytes_of_chunks(int64_t chunks) {
    return static_cast<uint64_t>(chunks) * kHashDigits;
}
int64_t full_chunks(int64_t tokens, int64_t token_bytes) {
    return tokens * token_bytes / kTokenChunkBytes;
}

// Bytes [begin, begin + out.size()) of a file that has them.
void read_at(InputFile& file, const fs::path& path, int64_t begin, std::span<char> out) {
    file.seek(static_cast<uint64_t>(begin));
    while (!out.empty()) {
        const size_t got = file.read(out);
        if (got == 0) fail(ExitCode::kCorrupt, "{}: was cut while prepare used it", path.string());
        out = out.subspan(got);
    }
}

}  // namespace

PartialTokens::PartialTokens(const PartialFolder& folder, const Tokenizer& tokenizer)
    : folder_(folder), tokenizer_(tokenizer) {
    array_.emplace(folder / "train.bin", tokenizer.vocab_size());
    documents_file_.emplace(folder / "documents");
    chunks_file_.emplace(folder / "chunks");
}

PartialTokens::PartialTokens(const PartialFolder& folder, const Tokenizer& tokenizer,
                             int64_t documents, int64_t tokens)
    : folder_(folder),
      tokenizer_(tokenizer),
      documents_(static_cast<size_t>(documents)),
      documents_written_(documents_.size()) {
    InputFile starts(folder / "documents");
    read_at(starts, folder / "documents", 0,
            {reinterpret_cast<char*>(documents_.data()), bytes_of_documents(documents)});
    documents_file_.emplace(folder / "documents", bytes_of_documents(documents));

    const int64_t full = full_chunks(tokens, token_bytes_of(tokenizer.vocab_size()));
    std::vector<std::string> chunks(static_cast<size_t>(full), std::string(kHashDigits, '0'));
    InputFile hashes(folder / "chunks");
    for (size_t i = 0; i < chunks.size(); ++i)
        read_at(hashes, folder / "chunks", static_cast<int64_t>(i * kHashDigits), chunks[i]);
    chunks_written_ = chunks.size();
    chunks_file_.emplace(folder / "chunks", bytes_of_chunks(full));
    array_.emplace(folder / "train.bin", tokenizer.vocab_size(), tokens, std::move(chunks));
}

bool PartialTokens::holds(const PartialFolder& folder, const Tokenizer& tokenizer,
                          int64_t documents, int64_t tokens) {
    const auto has = [&](const char* name, uint64_t bytes) {
        std::error_code error;
        const uintmax_t size = fs::file_size(folder / name, error);
        return !error && size >= bytes;
    };
    const int64_t token_bytes = token_bytes_of(tokenizer.vocab_size());
    return has("train.bin", static_cast<uint64_t>(tokens * token_bytes)) &&
           has("documents", bytes_of_documents(documents)) &&
           has("chunks", bytes_of_chunks(full_chunks(tokens, token_bytes)));
}

void PartialTokens::sync() {
    array_->sync();
    documents_file_->write(
        documents_.data() + documents_written_,
        bytes_of_documents(std::ssize(documents_)) - documents_written_ * sizeof(int64_t));
    documents_written_ = documents_.size();
    documents_file_->sync();
    for (; chunks_written_ < array_->chunks().size(); ++chunks_written_)
        chunks_file_->write(array_->chunks()[chunks_written_]);
    chunks_file_->sync();
}

int64_t PartialTokens::split(int64_t train_documents) {
    array_->finish();
    const bool held_out = train_documents < documents();
    const int64_t train_tokens =
        held_out ? documents_[static_cast<size_t>(train_documents)] : tokens();
    write_train_side(train_documents, train_tokens);
    if (held_out) copy_to_validation(train_documents);
    return train_tokens;
}

void PartialTokens::write_train_side(int64_t documents, int64_t tokens) {
    TokenFileInfo info = token_file_info(tokenizer_);
    info.tokens = tokens;
    info.documents.assign(documents_.begin(), documents_.begin() + documents);
    info.chunks = array_->chunks();
    if (tokens < this->tokens()) {  // the chunk that is cut has another hash
        const int64_t full = full_chunks(tokens, info.token_bytes());
        info.chunks.resize(static_cast<size_t>(full));
        const int64_t begin = full * kTokenChunkBytes;
        std::string rest(static_cast<size_t>(tokens * info.token_bytes() - begin), '\0');
        InputFile array(folder_ / "train.bin");
        read_at(array, folder_ / "train.bin", begin, rest);
        if (!rest.empty()) info.chunks.push_back(content_hash(rest));
    }
    write_file_atomic(folder_ / "train.json", side_file_text(info));
}

void PartialTokens::copy_to_validation(int64_t first_document) {
    TokenFileWriter validation(folder_ / "validation.bin", tokenizer_);
    const int64_t token_bytes = token_bytes_of(tokenizer_.vocab_size());
    InputFile array(folder_ / "train.bin");
    std::string bytes;
    std::vector<int32_t> ids;
    for (auto i = static_cast<size_t>(first_document); i < documents_.size(); ++i) {
        validation.begin_document();
        const int64_t end = i + 1 < documents_.size() ? documents_[i + 1] : tokens();
        for (int64_t at = documents_[i]; at < end; at += kCopiedAtOnce) {
            ids.assign(static_cast<size_t>(std::min(kCopiedAtOnce, end - at)), 0);
            bytes.resize(ids.size() * static_cast<size_t>(token_bytes));
            read_at(array, folder_ / "train.bin", at * token_bytes, bytes);
            for (size_t k = 0; k < ids.size(); ++k)
                bytes.copy(reinterpret_cast<char*>(&ids[k]), static_cast<size_t>(token_bytes),
                           k * static_cast<size_t>(token_bytes));  // little-endian
            validation.append(ids);
        }
    }
    validation.finish();
    validation.publish();
}

}  // namespace polytrain
