#pragma once
// Bringing tokens into the order of their experts. R = N K rows: one for each token and each expert
// that it chose. Their order: by expert, within an expert by token.

#include "ops/op.hpp"

namespace polytrain {

// slots_nk = the row of token n's k-th expert. A token's experts must differ and be in [0, E), and
// counts_e be how often e occurs. slots is a bijection onto [0, R).
struct DispatchPlan {
    static constexpr std::string_view kName = "dispatch.plan";
    Tensor experts_NK;  // i32
    Tensor counts_E;    // i64
    Tensor slots_NK;    // i32

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("experts_NK", &DispatchPlan::experts_NK, Role::kInput);
        f("counts_E", &DispatchPlan::counts_E, Role::kInput);
        f("slots_NK", &DispatchPlan::slots_NK, Role::kOutput);
    }
};

// rows[slots_nk] = x_n.
struct DispatchForward {
    static constexpr std::string_view kName = "dispatch.forward";
    Tensor x_NC;      // storage
    Tensor slots_NK;  // i32
    Tensor rows_RC;   // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NC", &DispatchForward::x_NC, Role::kInput);
        f("slots_NK", &DispatchForward::slots_NK, Role::kInput);
        f("rows_RC", &DispatchForward::rows_RC, Role::kOutput);
    }
};

// dx_n = sum_k drows[slots_nk], in the order of k; acc arithmetic, one rounding.
struct DispatchBackward {
    static constexpr std::string_view kName = "dispatch.backward";
    Tensor drows_RC;  // storage
    Tensor slots_NK;  // i32
    Tensor dx_NC;     // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("drows_RC", &DispatchBackward::drows_RC, Role::kInput);
        f("slots_NK", &DispatchBackward::slots_NK, Role::kInput);
        f("dx_NC", &DispatchBackward::dx_NC, Role::kOutput);
    }
};

// y_n = sum_k weights_nk rows[slots_nk], in the order of k; acc arithmetic, one rounding.
struct CombineForward {
    static constexpr std::string_view kName = "combine.forward";
    Tensor rows_RC;     // storage
    Tensor slots_NK;    // i32
    Tensor weights_NK;  // acc
    Tensor y_NC;        // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("rows_RC", &CombineForward::rows_RC, Role::kInput);
        f("slots_NK", &CombineForward::slots_NK, Role::kInput);
        f("weights_NK", &CombineForward::weights_NK, Role::kInput);
        f("y_NC", &CombineForward::y_NC, Role::kOutput);
    }
};

// drows[slots_nk] = weights_nk dy_n;  dweights_nk = sum_c dy_nc rows[slots_nk]_c.
struct CombineBackward {
    static constexpr std::string_view kName = "combine.backward";
    Tensor dy_NC;        // storage
    Tensor rows_RC;      // storage, as forward had it
    Tensor slots_NK;     // i32
    Tensor weights_NK;   // acc
    Tensor drows_RC;     // storage
    Tensor dweights_NK;  // acc

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("dy_NC", &CombineBackward::dy_NC, Role::kInput);
        f("rows_RC", &CombineBackward::rows_RC, Role::kInput);
        f("slots_NK", &CombineBackward::slots_NK, Role::kInput);
        f("weights_NK", &CombineBackward::weights_NK, Role::kInput);
        f("drows_RC", &CombineBackward::drows_RC, Role::kOutput);
        f("dweights_NK", &CombineBackward::dweights_NK, Role::kOutput);
    }
};

}  // namespace polytrain
