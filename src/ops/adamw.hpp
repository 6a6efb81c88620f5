#pragma once
// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).

#include "ops/op.hpp"

namespace polytrain {

// With g = gradient * gradient_scale (the division by the global count of scored tokens and the
// clip factor together) and t = step, counted from 1:
//   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
//   w = w - lr (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay w)
// Of weights stored in bf16, w is the f32 that split_float() made `weight` and `remainder` of: what
// the model multiplies by, and what AdamW alone needs to lose nothing.
struct AdamW {
    static constexpr std::string_view kName = "adamw.step";
    Tensor weight;
    Tensor remainder;  // i16; of bf16 weights alone
    Tensor gradient;   // acc
    Tensor m, v;       // acc
    double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0, gradient_scale = 1;
    int64_t step = 1;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("weight", &AdamW::weight, Role::kUpdate);
        f("remainder", &AdamW::remainder, Role::kUpdate);
        f("gradient", &AdamW::gradient, Role::kInput);
        f("m", &AdamW::m, Role::kUpdate);
        f("v", &AdamW::v, Role::kUpdate);
    }
};

}  // namespace polytrain
