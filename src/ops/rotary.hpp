#pragma once
// Rotary positions (Su et al., "RoFormer", 2021), in the half-split layout of Llama and GPT-NeoX:
// element j of a head pairs with j + D/2.

#include "ops/op.hpp"

namespace polytrain {

// table[t, j] = cos(t theta^(-2j/D)), table[t, D/2 + j] = sin(t theta^(-2j/D)), j < D/2.
struct RotaryTable {
    static constexpr std::string_view kName = "rotary.table";
    Tensor table_TD;  // acc; D even
    double theta = 10000;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("table_TD", &RotaryTable::table_TD, Role::kOutput);
    }
};

// x_NP holds P / D heads a row; the first `rotated` of them turn by the row's position, which is
// (first + n) mod T, the others are left as they are. In place:
//   (u, v) = (x_j, x_{j+D/2}) -> (u cos - v sin, v cos + u sin), sin negated when `inverse`.
// The inverse is the gradient of the forward direction.
struct RotaryApply {
    static constexpr std::string_view kName = "rotary.apply";
    Tensor table_TD;  // acc
    Tensor x_NP;      // storage
    int64_t rotated = 0;
    bool inverse = false;
    int64_t first = 0;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("table_TD", &RotaryApply::table_TD, Role::kInput);
        f("x_NP", &RotaryApply::x_NP, Role::kUpdate);
    }
};

}  // namespace polytrain
