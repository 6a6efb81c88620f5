#include "ops/elementwise.hpp"

#include <algorithm>

#include "kernels/common/normal.hpp"
#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
void register_elementwise(OpTable& table) {
    add_reference(table, &Add::y, [](const Add& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i)
            store(op.y.as<T>()[i], load(op.a.as<T>()[i]) + load(op.b.as<T>()[i]));
    });
    add_reference(table, &Convert::x, [](const Convert& op, auto from) {
        with_storage(op.y.dtype, [&](auto to) {
            for (int64_t i = 0; i < op.y.elements(); ++i)
                store(op.y.as<decltype(to)>()[i], load(op.x.as<decltype(from)>()[i]));
        });
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
    add_reference(table, &SquaredChunks::x, [](const SquaredChunks& op, auto t) {
        using T = decltype(t);
        for (int64_t m = 0; m < op.sums_M.elements(); ++m) {
            const int64_t begin = m * SquaredChunks::kChunk;
            const int64_t end = std::min(begin + SquaredChunks::kChunk, op.x.elements());
            double sum = 0;
            for (int64_t i = begin; i < end; ++i) {
                const double x = load(op.x.as<T>()[i]);
                sum += x * x;
            }
            op.sums_M.as<double>()[m] = sum;
        }
    });
    add_reference(table, &RandomNormal::y, [](const RandomNormal& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i)
            store(op.y.as<T>()[i], op.std * normal(op.key, op.first + i, op.cut));
    });
    add_reference(table, &Fill::y, [](const Fill& op, auto t) {
        using T = decltype(t);
        for (int64_t i = 0; i < op.y.elements(); ++i) store(op.y.as<T>()[i], op.value);
    });
}

}  // namespace polytrain::reference
