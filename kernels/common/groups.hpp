#pragma once
// Checks of numbers that kernels index memory by: contracts check shapes only.

#include <cstdint>
#include <string_view>

#include "core/error.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

// The offsets of groups of rows, which must start at 0, never fall, and end at `rows`.
inline const int64_t* checked_offsets(std::string_view op, const Tensor& offsets_G, int64_t rows) {
    const int64_t* offsets = offsets_G.as<int64_t>();
    const int64_t groups = offsets_G.dim(0) - 1;
    PT_CHECK(offsets[0] == 0 && offsets[groups] == rows, "{}: offsets from {} to {} of {} rows", op,
             offsets[0], offsets[groups], rows);
    for (int64_t g = 0; g < groups; ++g)
        PT_CHECK(offsets[g] <= offsets[g + 1], "{}: group {} from row {} to {}", op, g, offsets[g],
                 offsets[g + 1]);
    return offsets;
}

// Element i of i32 indices, which must be in [0, count).
inline int64_t checked_index(std::string_view op, const int32_t* indices, int64_t i,
                             int64_t count) {
    const int64_t index = indices[i];
    PT_CHECK(index >= 0 && index < count, "{}: index {} at {}, must be below {}", op, index, i,
             count);
    return index;
}

}  // namespace polytrain
