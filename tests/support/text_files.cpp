#include "support/text_files.hpp"

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <stdexcept>

namespace polytrain::testing {
namespace {

void require(bool well) {
    if (!well) throw std::runtime_error("compression failed");
}

}  // namespace

std::string gzip(const std::string& text) {
    z_stream stream{};
    require(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd_with_window(const std::string& text, int window_log) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    // The end comes by itself, so that the size is not known and the window is as it is asked for.
    std::string out(ZSTD_compressBound(text.size()) + 100, '\0');
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    require(ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue) == 0 || in.pos == in.size);
    require(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end) == 0);
    out.resize(to.pos);
    ZSTD_freeCCtx(context);
    return out;
}

std::string zstd(const std::string& text) {
    return zstd_with_window(text, 0);
}

std::string bzip2(const std::string& text) {
    std::string out(text.size() + text.size() / 100 + 600, '\0');
    auto size = static_cast<unsigned>(out.size());
    require(BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), 1, 0, 0) == BZ_OK);
    out.resize(size);
    return out;
}

std::vector<std::pair<std::string, std::function<std::string(const std::string&)>>> compressors() {
    return {{".gz", gzip}, {".zst", zstd}, {".bz2", bzip2}};
}

}  // namespace polytrain::testing
