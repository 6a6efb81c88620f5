#pragma once
// RMSNorm (Zhang and Sennrich, "Root mean square layer normalization", 2019).

#include "ops/op.hpp"

namespace polytrain {

// rstd_n = 1 / sqrt(mean_c(s_nc^2) + eps);  y_nc = s_nc * rstd_n * gain_c, where s is x, or with a
// residual x + residual, rounded to the storage type and left in sum. sum may alias x or residual.
struct RmsNormForward {
    static constexpr std::string_view kName = "rms_norm.forward";
    Tensor x_NC;    // storage
    Tensor gain_C;  // acc
    Tensor y_NC;    // storage
    Tensor rstd_N;  // acc
    double eps = 1e-5;
    Tensor residual_NC = {}, sum_NC = {};  // storage; both or neither

    bool adds() const { return residual_NC.elements() > 0; }

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NC", &RmsNormForward::x_NC, Role::kInput);
        f("gain_C", &RmsNormForward::gain_C, Role::kInput);
        f("y_NC", &RmsNormForward::y_NC, Role::kOutput);
        f("rstd_N", &RmsNormForward::rstd_N, Role::kOutput);
        f("residual_NC", &RmsNormForward::residual_NC, Role::kInput);
        f("sum_NC", &RmsNormForward::sum_NC, Role::kOutput);
    }
};

// With x what was normed (forward's sum where it added), xhat = x * rstd and h = dy * gain:
//   dx_nc = dskip_nc + rstd_n (h_nc - xhat_nc mean_c(h_nc xhat_nc));  dgain_c += sum_n dy_nc
//   xhat_nc.
// dskip is the gradient that reaches x by another way, 0 where there is none. dx may alias it.
struct RmsNormBackward {
    static constexpr std::string_view kName = "rms_norm.backward";
    Tensor x_NC, gain_C, rstd_N;  // as forward had and left them
    Tensor dy_NC;                 // storage
    Tensor dx_NC;                 // storage
    Tensor dgain_C;               // acc
    Tensor scratch;
    Tensor dskip_NC = {};  // storage, or none

    bool adds() const { return dskip_NC.elements() > 0; }
    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NC", &RmsNormBackward::x_NC, Role::kInput);
        f("gain_C", &RmsNormBackward::gain_C, Role::kInput);
        f("rstd_N", &RmsNormBackward::rstd_N, Role::kInput);
        f("dy_NC", &RmsNormBackward::dy_NC, Role::kInput);
        f("dx_NC", &RmsNormBackward::dx_NC, Role::kOutput);
        f("dgain_C", &RmsNormBackward::dgain_C, Role::kSum);
        f("scratch", &RmsNormBackward::scratch, Role::kScratch);
        f("dskip_NC", &RmsNormBackward::dskip_NC, Role::kInput);
    }
};

}  // namespace polytrain
