#pragma once
// What flash attention's two directions share.

#include <type_traits>

#include "ops/attention.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cuda {

// The head widths that the kernels are made for.
template <class F>
void with_flash_width(int64_t width, F&& f) {
    switch (width) {
        case 32:
            return f(std::integral_constant<int, 32>{});
        case 64:
            return f(std::integral_constant<int, 64>{});
        case 128:
            return f(std::integral_constant<int, 128>{});
        default:
            PT_CHECK(false, "flash attention of head width {}", width);
    }
}

template <class Op>
bool flash_applies(const Op& op) {
    const int64_t width = op.head_width();
    return op.qkv_NP.dtype == DType::kBf16 && (width == 32 || width == 64 || width == 128);
}

// A block to `each` positions of a head of a sequence.
inline int64_t flash_blocks(int64_t rows, int64_t time, int64_t heads, int64_t each) {
    return time == 0 ? 0 : rows / time * heads * ((time + each - 1) / each);
}

void register_flash_attention_backward(OpTable& table);

}  // namespace polytrain::cuda
