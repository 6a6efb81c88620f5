#pragma once
// Linear maps of groups of rows, each group by the matrix of its expert; no bias.
//
// Group g, of G, is rows [offsets_g, offsets_(g+1)) and uses matrix g mod E; G is a multiple of E.
// offsets_0 = 0, offsets never fall, and offsets_G = R. Empty groups are ordinary. With expert
// parallelism groups are ordered by the rank that the rows came from, then by expert: as they
// arrive. Every group is computed as if it were alone, so its bits don't depend on the others.
// `host_offsets`: the same numbers in host memory, for devices that launch a product a group; null:
// these read them from offsets_G, and wait for them.

#include "ops/op.hpp"

namespace polytrain {

// y_ro = sum_i x_ri w[g mod E]_oi for the rows r of each group g.
struct GroupedLinearForward {
    static constexpr std::string_view kName = "grouped_linear.forward";
    Tensor x_RI, w_EOI, y_RO;  // storage
    Tensor offsets_G;          // i64, [G + 1]
    Tensor scratch;
    const int64_t* host_offsets = nullptr;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("x_RI", &GroupedLinearForward::x_RI, Role::kInput);
        f("w_EOI", &GroupedLinearForward::w_EOI, Role::kInput);
        f("y_RO", &GroupedLinearForward::y_RO, Role::kOutput);
        f("offsets_G", &GroupedLinearForward::offsets_G, Role::kInput);
        f("scratch", &GroupedLinearForward::scratch, Role::kScratch);
    }
};

// dx_ri = sum_o dy_ro w[g mod E]_oi.
struct GroupedLinearBackwardInput {
    static constexpr std::string_view kName = "grouped_linear.backward_input";
    Tensor dy_RO, w_EOI, dx_RI;  // storage
    Tensor offsets_G;            // i64, [G + 1]
    Tensor scratch;
    const int64_t* host_offsets = nullptr;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("dy_RO", &GroupedLinearBackwardInput::dy_RO, Role::kInput);
        f("w_EOI", &GroupedLinearBackwardInput::w_EOI, Role::kInput);
        f("dx_RI", &GroupedLinearBackwardInput::dx_RI, Role::kOutput);
        f("offsets_G", &GroupedLinearBackwardInput::offsets_G, Role::kInput);
        f("scratch", &GroupedLinearBackwardInput::scratch, Role::kScratch);
    }
};

// dw[g mod D]_oi += sum_(r in g) dy_ro x_ri, groups in order; G is a multiple of D.
struct GroupedLinearBackwardWeight {
    static constexpr std::string_view kName = "grouped_linear.backward_weight";
    Tensor dy_RO, x_RI;  // storage
    Tensor dw_DOI;       // acc
    Tensor offsets_G;    // i64, [G + 1]
    Tensor scratch;
    const int64_t* host_offsets = nullptr;

    void check() const;
    template <class F>
    static void tensors(F&& f) {
        f("dy_RO", &GroupedLinearBackwardWeight::dy_RO, Role::kInput);
        f("x_RI", &GroupedLinearBackwardWeight::x_RI, Role::kInput);
        f("dw_DOI", &GroupedLinearBackwardWeight::dw_DOI, Role::kSum);
        f("offsets_G", &GroupedLinearBackwardWeight::offsets_G, Role::kInput);
        f("scratch", &GroupedLinearBackwardWeight::scratch, Role::kScratch);
    }
};

}  // namespace polytrain
