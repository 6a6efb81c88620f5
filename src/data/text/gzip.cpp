#include <zlib.h>

#include <algorithm>
#include <new>

#include "core/error.hpp"
#include "data/text/decompressor.hpp"

namespace polytrain {
namespace {

constexpr int kGzipOnly = 15 + 16;  // inflateInit2: the largest window, gzip headers and trailers
constexpr size_t kMostAtOnce = size_t{1} << 30;  // zlib counts in 32 bits

class GzipDecompressor final : public Decompressor {
  public:
    GzipDecompressor() {
        const int result = ::inflateInit2(&stream_, kGzipOnly);
        if (result == Z_MEM_ERROR) throw std::bad_alloc();
        PT_CHECK(result == Z_OK, "inflateInit2 returned {}", result);
    }
    ~GzipDecompressor() override { ::inflateEnd(&stream_); }

    const char* step(std::string_view& in, std::span<char>& out) override {
        if (complete_) {
            if (in.empty()) return nullptr;
            // Tapes and block devices pad files with zeros, which gzip ignores too.
            padded_ |= in.front() == '\0';
            if (padded_) {
                const size_t zeros = std::min(in.find_first_not_of('\0'), in.size());
                in.remove_prefix(zeros);
                return in.empty() ? nullptr : "there is something else after the last member";
            }
            ::inflateReset(&stream_);
            complete_ = false;
        }
        return inflate_some(in, out);
    }
    bool complete() const override { return complete_; }

  private:
    const char* inflate_some(std::string_view& in, std::span<char>& out) {
        const auto in_size = static_cast<uInt>(std::min(in.size(), kMostAtOnce));
        const auto out_size = static_cast<uInt>(std::min(out.size(), kMostAtOnce));
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream_.avail_in = in_size;
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = out_size;
        const int result = ::inflate(&stream_, Z_NO_FLUSH);
        in.remove_prefix(in_size - stream_.avail_in);
        out = out.subspan(out_size - stream_.avail_out);
        switch (result) {
            case Z_STREAM_END:
                complete_ = true;
                return nullptr;
            case Z_OK:
            case Z_BUF_ERROR:  // nothing to do without more input
                return nullptr;
            case Z_MEM_ERROR:
                throw std::bad_alloc();
            default:
                return stream_.msg != nullptr ? stream_.msg : "damaged gzip data";
        }
    }

    z_stream stream_{};
    bool complete_ = false, padded_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> make_gzip_decompressor() {
    return std::make_unique<GzipDecompressor>();
}

}  // namespace polytrain
