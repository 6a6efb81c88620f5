#include "comm/arguments.hpp"

#include <algorithm>
#include <cstring>

namespace polytrain {

void check_reduced(const Tensor& values, std::string_view label) {
    PT_CHECK(values.dtype == DType::kI64 || values.dtype == DType::kF64, "all_reduce '{}' of {}",
             label, name_of(values.dtype));
}

void check_offsets(std::span<const int64_t> offsets, int ranks, std::string_view label) {
    PT_CHECK(offsets.size() == static_cast<size_t>(ranks) + 1, "'{}': {} offsets for {} ranks",
             label, offsets.size(), ranks);
    PT_CHECK(offsets[0] >= 0 && std::is_sorted(offsets.begin(), offsets.end()),
             "'{}': offsets that fall", label);
}

void check_broadcast(int64_t bytes, int root, int ranks, std::string_view label) {
    PT_CHECK(bytes >= 0, "broadcast '{}' of {} bytes", label, bytes);
    PT_CHECK(root >= 0 && root < ranks, "broadcast '{}' from rank {} of {}", label, root, ranks);
}

void check_own(std::span<const int64_t> send_offsets, std::span<const int64_t> receive_offsets,
               int rank, std::string_view label) {
    const auto own = static_cast<size_t>(rank);
    const int64_t bytes = send_offsets[own + 1] - send_offsets[own];
    const int64_t room = receive_offsets[own + 1] - receive_offsets[own];
    PT_CHECK(bytes == room, "all_to_all '{}': rank {} sends itself {} bytes and expects {}", label,
             rank, bytes, room);
}

void copy_own(const void* send, std::span<const int64_t> send_offsets, void* receive,
              std::span<const int64_t> receive_offsets, int rank) {
    const auto own = static_cast<size_t>(rank);
    const int64_t bytes = send_offsets[own + 1] - send_offsets[own];
    if (bytes == 0) return;  // the buffers may be null
    std::memcpy(static_cast<char*>(receive) + receive_offsets[own],
                static_cast<const char*>(send) + send_offsets[own], static_cast<size_t>(bytes));
}

}  // namespace polytrain
