#pragma once
// How far an implementation may be from reference in f64: the largest difference in a tensor over
// its largest magnitude. One table for all ops.

#include <string_view>

#include "tensor/dtype.hpp"

namespace polytrain::testing {

inline double tolerance(std::string_view op, DType storage) {
    if (storage == DType::kBf16) return 8e-3;  // one rounding is 2^-9 = 2e-3 at most
    struct Row {
        std::string_view op;
        double f32;
    };
    constexpr Row kRows[] = {
        {"add.forward", 1e-7},
        {"embedding.forward", 0},
        {"fill.fill", 1e-7},
        {"random_normal.fill", 1e-7},
        {"sum.forward", 1e-6},
        {"rotary.table", 1e-7},
        {"rotary.apply", 5e-7},
        {"adamw.step", 2e-6},
        {"embedding.backward", 1.5e-5},  // thousands of terms one by one, in their order
        {"qk_norm.backward", 6e-6},      // a gain's sum is over the heads too
        {"activation.backward", 4e-5},   // x^15 at order 8; eight terms that cancel
    };
    for (const Row& row : kRows)
        if (row.op == op) return row.f32;
    return 3e-6;
}

}  // namespace polytrain::testing
