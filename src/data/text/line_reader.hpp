#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/text/byte_source.hpp"

namespace polytrain {

// The lines of a text file, compressed or not, one after the other.
class LineReader {
  public:
    // Errors as ByteSource.
    explicit LineReader(const std::filesystem::path& path);

    // The next line, without its end ("\n" or "\r\n"); false after the last. A byte order mark
    // before the first is passed over. A line longer than 64 MiB: exit 65.
    bool next(std::string& line);
    // Of the last line, from 1.
    int64_t number() const { return number_; }
    // "file:line" of the last line, for messages.
    std::string where() const;

  private:
    std::filesystem::path path_;
    ByteSource source_;
    std::string block_, rest_;  // rest_: what is read of the next lines
    size_t given_ = 0;          // of rest_
    int64_t number_ = 0;
    bool ended_ = false;
};

}  // namespace polytrain
