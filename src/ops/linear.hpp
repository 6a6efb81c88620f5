#pragma once
// Linear maps without bias; w_OI is row-major [out, in], as PyTorch and the checkpoints have it.

#include "ops/op.hpp"

namespace polytrain {

// y_no = sum_i x_ni w_oi.
struct LinearForward {
    static constexpr std::string_view kName = "linear.forward";
    Tensor x_NI, w_OI, y_NO;  // storage
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NI", &LinearForward::x_NI, Role::kInput);
        f("w_OI", &LinearForward::w_OI, Role::kInput);
        f("y_NO", &LinearForward::y_NO, Role::kOutput);
        f("scratch", &LinearForward::scratch, Role::kScratch);
    }
};

// dx_ni = sum_o dy_no w_oi.
struct LinearBackwardInput {
    static constexpr std::string_view kName = "linear.backward_input";
    Tensor dy_NO, w_OI, dx_NI;  // storage
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("dy_NO", &LinearBackwardInput::dy_NO, Role::kInput);
        f("w_OI", &LinearBackwardInput::w_OI, Role::kInput);
        f("dx_NI", &LinearBackwardInput::dx_NI, Role::kOutput);
        f("scratch", &LinearBackwardInput::scratch, Role::kScratch);
    }
};

// dw_oi += sum_n dy_no x_ni.
struct LinearBackwardWeight {
    static constexpr std::string_view kName = "linear.backward_weight";
    Tensor dy_NO, x_NI;  // storage
    Tensor dw_OI;        // acc
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("dy_NO", &LinearBackwardWeight::dy_NO, Role::kInput);
        f("x_NI", &LinearBackwardWeight::x_NI, Role::kInput);
        f("dw_OI", &LinearBackwardWeight::dw_OI, Role::kSum);
        f("scratch", &LinearBackwardWeight::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
