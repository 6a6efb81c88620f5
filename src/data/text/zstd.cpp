#include <zstd.h>
#include <zstd_errors.h>

#include <new>

#include "core/error.hpp"
#include "data/text/decompressor.hpp"

namespace polytrain {
namespace {

constexpr int kWindowLogMax = 27;  // 128 MiB, as the zstd program takes without --long=

class ZstdDecompressor final : public Decompressor {
  public:
    ZstdDecompressor() : context_(::ZSTD_createDCtx()) {
        if (context_ == nullptr) throw std::bad_alloc();
        ::ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLogMax);
    }
    ~ZstdDecompressor() override { ::ZSTD_freeDCtx(context_); }

    const char* step(std::string_view& in, std::span<char>& out) override {
        if (complete_ && in.empty()) return nullptr;
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        const size_t result = ::ZSTD_decompressStream(context_, &output, &input);
        in.remove_prefix(input.pos);
        out = out.subspan(output.pos);
        if (::ZSTD_isError(result) != 0) {
            const ZSTD_ErrorCode code = ::ZSTD_getErrorCode(result);
            if (code == ZSTD_error_memory_allocation) throw std::bad_alloc();
            if (code == ZSTD_error_frameParameter_windowTooLarge)
                return "its window is larger than 128 MiB; compress it again with --long=27 or "
                       "without --long";
            return ::ZSTD_getErrorName(result);
        }
        if (input.pos > 0 || output.pos > 0) complete_ = result == 0;
        return nullptr;
    }
    bool complete() const override { return complete_; }

  private:
    ZSTD_DCtx* context_;
    bool complete_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> make_zstd_decompressor() {
    return std::make_unique<ZstdDecompressor>();
}

}  // namespace polytrain
