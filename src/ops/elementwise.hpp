#pragma once
// Ops over flat tensors: residual addition, conversion, sums, initialisation.

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

// y = x in y's type, rounded to nearest even: between f32 and bf16, or f64 to f64.
struct Convert {
    static constexpr std::string_view kName = "convert.forward";
    Tensor x, y;  // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x", &Convert::x, Role::kInput);
        f("y", &Convert::y, Role::kOutput);
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

// sums_m = sum of x^2 over elements [m kChunk, (m + 1) kChunk) of x, the last chunk shorter; M
// chunks in all. A sum's bits depend on its own elements alone, so that a tensor's are the same
// wherever pieces of it that begin at a chunk lie.
struct SquaredChunks {
    static constexpr std::string_view kName = "squared_chunks.forward";
    static constexpr int64_t kChunk = 1024;
    static constexpr int64_t chunks(int64_t elements) { return (elements + kChunk - 1) / kChunk; }
    Tensor x;       // storage
    Tensor sums_M;  // f64, M = chunks(elements of x)

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x", &SquaredChunks::x, Role::kInput);
        f("sums_M", &SquaredChunks::sums_M, Role::kOutput);
    }
};

// y_i ~ N(0, std^2) by Box-Muller: a function of key and element j = first + i alone. With cut > 0
// truncated to |y_i| <= cut std: draw k of element j is philox(key, j + 2^48 k), the first within
// is taken.
struct RandomNormal {
    static constexpr std::string_view kName = "random_normal.fill";
    Tensor y;  // storage
    PhiloxKey key;
    double std = 1, cut = 0;
    int64_t first = 0;

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
