#pragma once
// Ways to damage a file in place.

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace polytrain::testing {

inline std::string slurp(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void spit(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline void flip_bit(const std::filesystem::path& path, size_t byte, int bit) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(byte));
    const auto changed = static_cast<char>(file.get() ^ (1 << bit));
    file.seekp(static_cast<std::streamoff>(byte));
    file.put(changed);
}

}  // namespace polytrain::testing
