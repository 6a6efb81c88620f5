#pragma once
// Activations y = f(x), optionally gated, y = f(gate) * up. Which ones there are, the backend's
// kernels say (kernels/common/activations/list.hpp) by filling the ActivationCatalog.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/op.hpp"

namespace polytrain {

enum class ActivationFamily : uint8_t {
    kPointwise,      // y_j = f(x_j; a)
    kRowPolynomial,  // y_j = a_0 + sum_{i=1..r} a_i N(b_j^i), b = base(x), N = RMS normalisation
};

// The eps of N(u) = u / sqrt(mean(u^2) + eps) in the row family (PolyCom reference code).
inline constexpr double kRowNormEps = 1e-6;

struct ActivationInfo {
    std::string name;  // what `model.feed_forward.activation` says
    ActivationFamily family = ActivationFamily::kPointwise;
    int index = 0;                                    // in the kernels' type list
    int min_order = 0, max_order = 0;                 // 0, 0: it has no order
    std::function<int(int order)> coefficients;       // how many learned numbers
    std::function<double(int k, int order)> initial;  // of coefficient k

    bool has_order() const { return max_order > 0; }
    // Row statistics kept for backward: one per power.
    int statistics(int order) const {
        return family == ActivationFamily::kRowPolynomial ? order : 0;
    }
};

class ActivationCatalog {
  public:
    void add(ActivationInfo info);
    const std::vector<ActivationInfo>& all() const { return all_; }
    // Null when there is none of that name.
    const ActivationInfo* find(std::string_view name) const;
    // Every name a config may use: the activations, and those of gated forms that have a name of
    // their own (swiglu = gated silu, geglu = gated gelu, reglu = gated relu).
    std::vector<std::string> names() const;
    // "swiglu" -> "silu", for gated forms with a name; empty for all others.
    static std::string_view gated_form(std::string_view name);

  private:
    std::vector<ActivationInfo> all_;
};

// y_NF = f(x_NF), or with `gated`, x_NX = [gate_NF | up_NF] and y = f(gate) * up.
// Row statistics rstd_NR, R = info->statistics(order): 1/sqrt(mean_j(b_j^2i) + eps), i = 1..R.
// Inside: acc arithmetic, one rounding on the way out. Source: PolyCom (arXiv 2411.03884), eq. 3-4,
// with the RMS form of N of its code.
struct ActivationForward {
    static constexpr std::string_view kName = "activation.forward";
    const ActivationInfo* info = nullptr;
    int order = 0;
    bool gated = false;
    Tensor x_NX;            // storage; X = gated ? 2F : F
    Tensor coefficients_P;  // acc; P = info->coefficients(order)
    Tensor y_NF;            // storage
    Tensor rstd_NR;         // acc

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NX", &ActivationForward::x_NX, Role::kInput);
        f("coefficients_P", &ActivationForward::coefficients_P, Role::kInput);
        f("y_NF", &ActivationForward::y_NF, Role::kOutput);
        f("rstd_NR", &ActivationForward::rstd_NR, Role::kOutput);
    }
};

// Exact gradients of ActivationForward; dcoefficients_P is added to. dx_NX may alias x_NX.
//   pointwise: dx = dy f'(x), da_k = sum dy df/da_k
//   row family (G_i = sum_j dy_j b_j^i, s_i = rstd_i, F the row width):
//     db_j = dy_j sum_i i a_i s_i b_j^(i-1)  -  (1/F) sum_i i a_i s_i^3 G_i b_j^(2i-1)
//     da_0 = sum dy, da_i = sum_rows s_i G_i
//   gated: dy above is dy * up, and dup = dy * f(gate).
struct ActivationBackward {
    static constexpr std::string_view kName = "activation.backward";
    const ActivationInfo* info = nullptr;
    int order = 0;
    bool gated = false;
    Tensor x_NX, coefficients_P, rstd_NR;  // as forward had and left them
    Tensor dy_NF;                          // storage
    Tensor dx_NX;                          // storage
    Tensor dcoefficients_P;                // acc
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_NX", &ActivationBackward::x_NX, Role::kInput);
        f("coefficients_P", &ActivationBackward::coefficients_P, Role::kInput);
        f("rstd_NR", &ActivationBackward::rstd_NR, Role::kInput);
        f("dy_NF", &ActivationBackward::dy_NF, Role::kInput);
        f("dx_NX", &ActivationBackward::dx_NX, Role::kOutput);
        f("dcoefficients_P", &ActivationBackward::dcoefficients_P, Role::kSum);
        f("scratch", &ActivationBackward::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
