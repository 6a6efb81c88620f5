#pragma once
// Token embedding.

#include "ops/op.hpp"

namespace polytrain {

// y_nc = table[ids_n, c], 0 <= ids_n < V.
struct EmbeddingForward {
    static constexpr std::string_view kName = "embedding.forward";
    Tensor ids_N;           // i32
    Tensor table_VC, y_NC;  // storage

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("ids_N", &EmbeddingForward::ids_N, Role::kInput);
        f("table_VC", &EmbeddingForward::table_VC, Role::kInput);
        f("y_NC", &EmbeddingForward::y_NC, Role::kOutput);
    }
};

// dtable[ids_n, c] += dy_nc, rows n in order (the same bits on every run).
struct EmbeddingBackward {
    static constexpr std::string_view kName = "embedding.backward";
    Tensor ids_N;      // i32
    Tensor dy_NC;      // storage
    Tensor dtable_VC;  // acc
    Tensor scratch;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("ids_N", &EmbeddingBackward::ids_N, Role::kInput);
        f("dy_NC", &EmbeddingBackward::dy_NC, Role::kInput);
        f("dtable_VC", &EmbeddingBackward::dtable_VC, Role::kSum);
        f("scratch", &EmbeddingBackward::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
