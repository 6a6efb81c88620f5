#include "ops/elementwise.hpp"

#include <cmath>
#include <numbers>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// Box-Muller: words 0 and 1 make the radius, 2 and 3 the angle.
double normal(PhiloxKey key, int64_t index) {
    const auto words = philox(key, static_cast<uint64_t>(index));
    const double radius = std::sqrt(-2 * std::log1p(-uniform_from(words[0], words[1])));
    return radius * std::cos(2 * std::numbers::pi * uniform_from(words[2], words[3]));
}

}  // namespace

void register_elementwise(OpTable& table) {
    add_reference(table, &Add::y, [](const Add& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i)
            store(op.y.as<T>()[i], load(op.a.as<T>()[i]) + load(op.b.as<T>()[i]));
    });
    add_reference(table, &Sum::x, [](const Sum& op, auto t) {
        using T = decltype(t);
        double sum = 0;
        for (int64_t i = 0; i < op.x.elements(); ++i) {
            const double x = load(op.x.as<T>()[i]);
            sum += op.squared ? x * x : x;
        }
        *op.result_1.as<double>() = sum;
    });
    add_reference(table, &RandomNormal::y, [](const RandomNormal& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i)
            store(op.y.as<T>()[i], op.std * normal(op.key, i));
    });
    add_reference(table, &Fill::y, [](const Fill& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i) store(op.y.as<T>()[i], op.value);
    });
}

}  // namespace polytrain::reference
