#pragma once
// Ops over flat tensors: residual addition, sums, initialisation.

#include "core/philox.hpp"
#include "ops/op.hpp"

namespace polytrain {

// y = a + b, elementwise; y may alias a or b.
struct Add {
    static constexpr std::string_view kName = "add.forward";
    Tensor a, b, y;  // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("a", &Add::a, Role::kInput);
        f("b", &Add::b, Role::kInput);
        f("y", &Add::y, Role::kOutput);
    }
};

// result_1 = sum of x, or of x^2 with `squared`; summed in f64 over a fixed partition.
struct Sum {
    static constexpr std::string_view kName = "sum.forward";
    Tensor x;         // storage
    Tensor result_1;  // f64
    bool squared = false;
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x", &Sum::x, Role::kInput);
        f("result_1", &Sum::result_1, Role::kOutput);
        f("scratch", &Sum::scratch, Role::kScratch);
    }
};

// y_i ~ N(0, std^2) by Box-Muller from philox(key, i): a function of key and element alone.
struct RandomNormal {
    static constexpr std::string_view kName = "random_normal.fill";
    Tensor y;  // storage
    PhiloxKey key;
    double std = 1;

    void check() const {}
    template <class F>
    static void tensors(F&& f) {
        f("y", &RandomNormal::y, Role::kOutput);
    }
};

// y_i = value.
struct Fill {
    static constexpr std::string_view kName = "fill.fill";
    Tensor y;  // storage
    double value = 0;

    void check() const {}
    template <class F>
    static void tensors(F&& f) {
        f("y", &Fill::y, Role::kOutput);
    }
};

}  // namespace polytrain
