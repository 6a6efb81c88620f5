#pragma once
// What the reference kernels share: run-time dtype to template, once per op, and views that read
// and write any storage as double.

#include <cstdint>
#include <utility>

#include "ops/op_table.hpp"

namespace polytrain::reference {

// f64 accumulates in f64, f32 and bf16 in f32 (accumulator_of).
template <class T>
struct AccumulatorOf {
    using Type = float;
};
template <>
struct AccumulatorOf<double> {
    using Type = double;
};
template <class T>
using Acc = typename AccumulatorOf<T>::Type;

// Calls f(T{}) with the storage type of a floating-point dtype.
template <class F>
void with_storage(DType dtype, F&& f) {
    switch (dtype) {
        case DType::kF64:
            return f(double{});
        case DType::kF32:
            return f(float{});
        case DType::kBf16:
            return f(Bf16{});
        default:
            PT_CHECK(false, "storage type {}", name_of(dtype));
    }
}

template <class T>
double load(const T& x) {
    return static_cast<double>(x);
}
template <class T>
void store(T& to, double value) {
    to = T(value);
}

// Adds a kernel that is a template over the storage type, which is that of the op's tensor
// `storage`; it is called as kernel(op, T{}).
template <class Op, class Kernel>
void add_reference(OpTable& table, Tensor Op::*storage, Kernel kernel) {
    Implementation<Op> implementation;
    implementation.name = "reference";
    implementation.run = [storage, kernel](const Op& op, const Stream&) {
        with_storage((op.*storage).dtype, [&](auto type) { kernel(op, type); });
    };
    table.add(std::move(implementation));
}

}  // namespace polytrain::reference
