#include "ops/rotary.hpp"

#include <cmath>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

template <class T>
void table(const RotaryTable& op, T) {
    const int64_t time = op.table_TD.dim(0), width = op.table_TD.dim(1), half = width / 2;
    for (int64_t t = 0; t < time; ++t)
        for (int64_t j = 0; j < half; ++j) {
            const double angle =
                static_cast<double>(t) *
                std::pow(op.theta, -2.0 * static_cast<double>(j) / static_cast<double>(width));
            T* row = op.table_TD.as<T>() + t * width;
            store(row[j], std::cos(angle));
            store(row[half + j], std::sin(angle));
        }
}

template <class T>
void apply(const RotaryApply& op, T) {
    const int64_t time = op.table_TD.dim(0), width = op.table_TD.dim(1), half = width / 2;
    for (int64_t n = 0; n < op.x_NP.dim(0); ++n) {
        const Acc<T>* row = op.table_TD.as<Acc<T>>() + ((op.first + n) % time) * width;
        for (int64_t h = 0; h < op.rotated; ++h) {
            T* x = op.x_NP.as<T>() + n * op.x_NP.dim(1) + h * width;
            for (int64_t j = 0; j < half; ++j) {
                const double cos = load(row[j]);
                const double sin = op.inverse ? -load(row[half + j]) : load(row[half + j]);
                const double u = load(x[j]), v = load(x[half + j]);
                store(x[j], u * cos - v * sin);
                store(x[half + j], v * cos + u * sin);
            }
        }
    }
}

}  // namespace

void register_rotary(OpTable& ops) {
    add_reference(ops, &RotaryTable::table_TD, [](auto& op, auto t) { table(op, t); });
    add_reference(ops, &RotaryApply::x_NP, [](auto& op, auto t) { apply(op, t); });
}

}  // namespace polytrain::reference
