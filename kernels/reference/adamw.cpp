#include "ops/adamw.hpp"

#include <cmath>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {

void register_adamw(OpTable& table) {
    add_reference(table, &AdamW::weight, [](const AdamW& op, auto t) {
        using T = decltype(t);
        const auto step = static_cast<double>(op.step);
        const double correct1 = 1 - std::pow(op.beta1, step);
        const double correct2 = 1 - std::pow(op.beta2, step);
        for (int64_t i = 0; i < op.weight.elements(); ++i) {
            T &w = op.weight.as<T>()[i], &m = op.m.as<T>()[i], &v = op.v.as<T>()[i];
            const double g = load(op.gradient.as<T>()[i]) * op.gradient_scale;
            const double new_m = op.beta1 * load(m) + (1 - op.beta1) * g;
            const double new_v = op.beta2 * load(v) + (1 - op.beta2) * g * g;
            const double update = new_m / correct1 / (std::sqrt(new_v / correct2) + op.eps);
            store(w, load(w) - op.lr * (update + op.weight_decay * load(w)));
            if (op.stored.elements() > 0) store(op.stored.as<Bf16>()[i], load(w));
            store(m, new_m);
            store(v, new_v);
        }
    });
}

}  // namespace polytrain::reference
