#pragma once
// Checked arithmetic for sizes and counts, above all those read from files.

#include <cstdint>
#include <initializer_list>
#include <optional>

namespace polytrain {

// The product of non-negative numbers, or nothing on overflow or a negative factor.
inline std::optional<int64_t> checked_product(std::initializer_list<int64_t> factors) {
    int64_t product = 1;
    for (int64_t factor : factors)
        if (factor < 0 || __builtin_mul_overflow(product, factor, &product)) return std::nullopt;
    return product;
}

constexpr int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
constexpr int64_t round_up(int64_t a, int64_t unit) {
    return ceil_div(a, unit) * unit;
}

}  // namespace polytrain
