#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/file.hpp"
#include "data/text/decompressor.hpp"

namespace polytrain {

// By the last extension: .gz, .zst, .bz2, or none of these.
Compression compression_of(const std::filesystem::path& path);

// The text of a file, front to back, in bounded memory. A compressed file that is damaged or cut
// short: exit 65 with the byte of the compressed file; else errors as InputFile.
class ByteSource {
  public:
    ByteSource(std::filesystem::path path, Compression compression);

    // The next bytes, at most out.size(), which is not 0; returns 0 only at the end.
    size_t read(std::span<char> out);
    // Passes over bytes; a text that has fewer: exit 65.
    void skip(int64_t bytes);
    // How much of the file itself was read.
    int64_t file_bytes() const { return static_cast<int64_t>(file_.offset()); }

  private:
    size_t decompress(std::span<char> out);

    std::filesystem::path path_;
    InputFile file_;
    std::unique_ptr<Decompressor> decompressor_;
    std::string buffer_;     // of the compressed file
    std::string_view rest_;  // what of it is still to decompress
};

}  // namespace polytrain
