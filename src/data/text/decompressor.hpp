#pragma once

#include <memory>
#include <span>
#include <string_view>

namespace polytrain {

enum class Compression { kNone, kGzip, kZstd, kBzip2 };

// Undoes a compression of any length in bounded memory. A file may be several members (frames,
// streams), one after the other: the text is theirs, joined.
class Decompressor {
  public:
    Decompressor() = default;
    virtual ~Decompressor() = default;
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;

    // Takes bytes off the front of `in` and puts text into the front of `out`, moving both on. With
    // both non-empty it does at least one of the two; text may come without input too. Returns
    // nullptr, or what is wrong with the stream.
    virtual const char* step(std::string_view& in, std::span<char>& out) = 0;
    // Whether the stream may end here: after whole members, at least one.
    virtual bool complete() const = 0;
};

// `compression` is not kNone.
std::unique_ptr<Decompressor> make_decompressor(Compression compression);

std::unique_ptr<Decompressor> make_gzip_decompressor();
std::unique_ptr<Decompressor> make_zstd_decompressor();
std::unique_ptr<Decompressor> make_bzip2_decompressor();

}  // namespace polytrain
