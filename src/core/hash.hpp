#pragma once
// Content hashes (XXH3, 128 bit): of checkpoint slices, token files and configs.

#include <cstddef>
#include <string>
#include <string_view>

namespace polytrain {

// 32 hexadecimal digits.
std::string content_hash(const void* data, size_t bytes);
// The same of data that comes in pieces.
class ContentHasher {
  public:
    ContentHasher();
    ~ContentHasher();
    ContentHasher(const ContentHasher&) = delete;
    ContentHasher& operator=(const ContentHasher&) = delete;
    void add(const void* data, size_t bytes);
    std::string text() const;

  private:
    void* state_;
};
inline std::string content_hash(std::string_view text) {
    return content_hash(text.data(), text.size());
}

}  // namespace polytrain
