#include "data/text/byte_source.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 17;

}  // namespace

std::unique_ptr<Decompressor> make_decompressor(Compression compression) {
    switch (compression) {
        case Compression::kGzip:
            return make_gzip_decompressor();
        case Compression::kZstd:
            return make_zstd_decompressor();
        case Compression::kBzip2:
            return make_bzip2_decompressor();
        case Compression::kNone:
            break;
    }
    PT_CHECK(false, "there is nothing to decompress");
}

Compression compression_of(const std::filesystem::path& path) {
    const std::filesystem::path extension = path.extension();
    if (extension == ".gz") return Compression::kGzip;
    if (extension == ".zst") return Compression::kZstd;
    if (extension == ".bz2") return Compression::kBzip2;
    return Compression::kNone;
}

ByteSource::ByteSource(std::filesystem::path path, Compression compression)
    : path_(std::move(path)), file_(path_) {
    if (compression == Compression::kNone) return;
    decompressor_ = make_decompressor(compression);
    buffer_.resize(kBufferBytes);
}

size_t ByteSource::read(std::span<char> out) {
    return decompressor_ ? decompress(out) : file_.read(out);
}

size_t ByteSource::decompress(std::span<char> out) {
    const size_t wanted = out.size();
    for (;;) {
        if (rest_.empty()) rest_ = std::string_view(buffer_).substr(0, file_.read(buffer_));
        const size_t before = rest_.size();
        const char* damage = decompressor_->step(rest_, out);
        const uint64_t at = file_.offset() - rest_.size();
        if (damage != nullptr)
            fail(ExitCode::kCorrupt, "{}: cannot decompress at byte {}: {}", path_.string(), at,
                 damage);
        if (out.size() < wanted) return wanted - out.size();
        if (before == 0) {  // the end of the file, and no text is left inside
            if (decompressor_->complete()) return 0;
            fail(ExitCode::kCorrupt,
                 "{}: the file is cut short: it ends at byte {}, within the compressed text",
                 path_.string(), at);
        }
        PT_CHECK(rest_.size() < before, "{}: decompression stands still", path_.string());
    }
}

void ByteSource::skip(int64_t bytes) {
    if (!decompressor_) {
        if (static_cast<uint64_t>(bytes) > file_.size())
            fail(ExitCode::kCorrupt, "{}: is shorter than {} bytes", path_.string(), bytes);
        file_.seek(static_cast<uint64_t>(bytes) + file_.offset());
        return;
    }
    std::string passed(kBufferBytes, '\0');
    while (bytes > 0) {
        const auto size = static_cast<size_t>(std::min<int64_t>(bytes, kBufferBytes));
        const size_t got = read(std::span(passed.data(), size));
        if (got == 0)
            fail(ExitCode::kCorrupt, "{}: its text is {} bytes too short", path_.string(), bytes);
        bytes -= static_cast<int64_t>(got);
    }
}

}  // namespace polytrain
