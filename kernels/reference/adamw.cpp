#include "ops/adamw.hpp"

#include <cmath>
#include <type_traits>

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
            auto &m = op.m.as<Acc<T>>()[i], &v = op.v.as<Acc<T>>()[i];
            const double g = load(op.gradient.as<Acc<T>>()[i]) * op.gradient_scale;
            const double new_m = op.beta1 * load(m) + (1 - op.beta1) * g;
            const double new_v = op.beta2 * load(v) + (1 - op.beta2) * g * g;
            const double update = new_m / correct1 / (std::sqrt(new_v / correct2) + op.eps);
            T& weight = op.weight.as<T>()[i];
            if constexpr (std::is_same_v<T, Bf16>) {
                int16_t& remainder = op.remainder.as<int16_t>()[i];
                const double w = load(join_float(weight, remainder));
                const SplitFloat parts =
                    split_float(static_cast<float>(w - op.lr * (update + op.weight_decay * w)));
                weight = parts.rounded;
                remainder = parts.remainder;
            } else {
                store(weight, load(weight) - op.lr * (update + op.weight_decay * load(weight)));
            }
            store(m, new_m);
            store(v, new_v);
        }
    });
}

}  // namespace polytrain::reference
