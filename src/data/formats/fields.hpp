#pragma once
// Numbers in the headers of binary files.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace polytrain {

// The little-endian number at a byte; the file must be long enough, the byte need not be aligned.
template <class T>
T field_at(std::span<const std::byte> bytes, size_t byte) {
    PT_CHECK(byte <= bytes.size() && sizeof(T) <= bytes.size() - byte, "field at byte {} of {}",
             byte, bytes.size());
    T value;
    std::memcpy(&value, bytes.data() + byte, sizeof(T));
    return value;
}

// Exit 65: the field at this byte of the file `name` can't be right.
template <class... Args>
[[noreturn]] void refuse_field(const std::string& name, size_t byte,
                               fmt::format_string<Args...> format, Args&&... args) {
    fail(ExitCode::kCorrupt, "{}: at byte {}: {}", name, byte,
         fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace polytrain
