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

void check_all_to_all(std::span<const Range> sends, std::span<const Range> receives, int rank,
                      int ranks, std::string_view label) {
    for (const auto& side : {sends, receives}) {
        PT_CHECK(side.size() == static_cast<size_t>(ranks), "'{}': {} ranges for {} ranks", label,
                 side.size(), ranks);
        for (const Range& range : side)
            PT_CHECK(range.begin >= 0 && range.end >= range.begin, "'{}': a range from {} to {}",
                     label, range.begin, range.end);
    }
    const auto own = static_cast<size_t>(rank);
    PT_CHECK(sends[own].length() == receives[own].length(),
             "all_to_all '{}': rank {} sends itself {} bytes and expects {}", label, rank,
             sends[own].length(), receives[own].length());
}

void copy_own(const void* send, std::span<const Range> sends, void* receive,
              std::span<const Range> receives, int rank) {
    const auto own = static_cast<size_t>(rank);
    if (sends[own].length() == 0) return;  // the buffers may be null
    std::memcpy(static_cast<char*>(receive) + receives[own].begin,
                static_cast<const char*>(send) + sends[own].begin,
                static_cast<size_t>(sends[own].length()));
}

}  // namespace polytrain
