#include <bzlib.h>

#include <algorithm>
#include <new>

#include "core/error.hpp"
#include "data/text/decompressor.hpp"

namespace polytrain {
namespace {

constexpr size_t kMostAtOnce = size_t{1} << 30;  // libbz2 counts in 32 bits

class Bzip2Decompressor final : public Decompressor {
  public:
    ~Bzip2Decompressor() override { end_stream(); }

    const char* step(std::string_view& in, std::span<char>& out) override {
        if (!open_) {
            if (in.empty()) return nullptr;
            begin_stream();
        }
        const auto in_size = static_cast<unsigned>(std::min(in.size(), kMostAtOnce));
        const auto out_size = static_cast<unsigned>(std::min(out.size(), kMostAtOnce));
        stream_.next_in = const_cast<char*>(in.data());
        stream_.avail_in = in_size;
        stream_.next_out = out.data();
        stream_.avail_out = out_size;
        const int result = ::BZ2_bzDecompress(&stream_);
        in.remove_prefix(in_size - stream_.avail_in);
        out = out.subspan(out_size - stream_.avail_out);
        switch (result) {
            case BZ_STREAM_END:
                end_stream();
                complete_ = true;
                return nullptr;
            case BZ_OK:
                return nullptr;
            case BZ_MEM_ERROR:
                throw std::bad_alloc();
            case BZ_DATA_ERROR_MAGIC:
                return complete_ ? "there is something else after the last stream"
                                 : "this is not bzip2 data";
            default:
                return "damaged bzip2 data";
        }
    }
    bool complete() const override { return complete_ && !open_; }

  private:
    void begin_stream() {
        stream_ = {};
        const int result = ::BZ2_bzDecompressInit(&stream_, 0, 0);
        if (result == BZ_MEM_ERROR) throw std::bad_alloc();
        PT_CHECK(result == BZ_OK, "BZ2_bzDecompressInit returned {}", result);
        open_ = true;
    }
    void end_stream() {
        if (open_) ::BZ2_bzDecompressEnd(&stream_);
        open_ = false;
    }

    bz_stream stream_{};
    bool open_ = false, complete_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> make_bzip2_decompressor() {
    return std::make_unique<Bzip2Decompressor>();
}

}  // namespace polytrain
