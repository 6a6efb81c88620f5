#pragma once
// Compressed text, made by the libraries themselves.

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace polytrain::testing {

std::string gzip(const std::string& text);
std::string zstd(const std::string& text);  // with a checksum
std::string zstd_with_window(const std::string& text, int window_log);
std::string bzip2(const std::string& text);

// Each extension with its compressor.
std::vector<std::pair<std::string, std::function<std::string(const std::string&)>>> compressors();

}  // namespace polytrain::testing
