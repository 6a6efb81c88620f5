#include "ops/attention.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Sizes {
    int64_t batch, time, heads, kv_heads, width;
    int64_t rows() const { return batch * time; }
    int64_t packed() const { return (heads + 2 * kv_heads) * width; }
};

AttentionForward forward_op(const Sizes& s, DType t) {
    return {described({s.rows(), s.packed()}, t),
            described({s.rows(), s.heads * s.width}, t),
            described({s.rows(), s.heads}, accumulator_of(t)),
            {},
            s.time,
            s.heads,
            s.kv_heads};
}
AttentionBackward backward_op(const Sizes& s, DType t) {
    return {described({s.rows(), s.packed()}, t),
            described({s.rows(), s.heads * s.width}, t),
            described({s.rows(), s.heads}, accumulator_of(t)),
            described({s.rows(), s.heads * s.width}, t),
            described({s.rows(), s.packed()}, t),
            {},
            s.time,
            s.heads,
            s.kv_heads};
}

Values backward_inputs(const Sizes& s, Random& random) {
    Values inputs{{"qkv_NP", random.vector(s.rows() * s.packed(), -2, 2)}};
    const Values forward = run_op(Machine(1), forward_op(s, DType::kF64), inputs);
    inputs["y_NQ"] = forward.at("y_NQ");
    inputs["lse_NH"] = forward.at("lse_NH");
    inputs["dy_NQ"] = random.vector(s.rows() * s.heads * s.width);
    return inputs;
}

}  // namespace

TEST_CASE("attention: every implementation against reference, odd sizes, grouped heads") {
    Random random("attention");
    // Lengths around the tiles of 64 and the strips of 16, widths around the vectors.
    const Sizes sizes[] = {{0, 4, 2, 1, 4},    {1, 1, 1, 1, 2},    {2, 3, 2, 2, 6},
                           {1, 31, 1, 1, 8},   {2, 33, 4, 2, 16},  {1, 64, 2, 1, 18},
                           {1, 65, 3, 1, 30},  {1, 130, 2, 2, 34}, {2, 70, 4, 2, 32},
                           {1, 150, 2, 1, 64}, {1, 66, 1, 1, 128}};
    for (const Sizes& s : sizes) {
        const Values inputs = backward_inputs(s, random);
        check_op<AttentionForward>([&](DType t) { return forward_op(s, t); }, inputs);
        check_op<AttentionBackward>([&](DType t) { return backward_op(s, t); }, inputs);
    }
}

TEST_CASE("attention: highest scores that rise from tile to tile") {
    Random random("attention rise");
    const Sizes s{1, 200, 2, 1, 16};
    Values inputs{{"qkv_NP", random.vector(s.rows() * s.packed(), -1, 1)}};
    // All products of queries and keys are positive and grow with the key.
    std::vector<double>& qkv = inputs.at("qkv_NP");
    for (int64_t n = 0; n < s.rows(); ++n)
        for (int64_t c = 0; c < 3 * s.width; ++c) {
            double& x = qkv[static_cast<size_t>(n * s.packed() + c)];
            x = (1 + 0.1 * x) * (c < 2 * s.width ? 1 : 0.05 * static_cast<double>(n));
        }
    check_op<AttentionForward>([&](DType t) { return forward_op(s, t); }, inputs);
}

TEST_CASE("attention: large scores stay finite") {
    Random random("attention range");
    const Sizes s{1, 70, 1, 1, 16};
    // Scores of some 10^4, each rounded to about 10^-3 in f32: softmax is one key or nearly.
    const Values inputs{{"qkv_NP", random.vector(s.rows() * s.packed(), -60, 60)}};
    const Values expected = run_op(Machine(), forward_op(s, DType::kF64), inputs);
    const Values actual = run_op(Machine(), forward_op(s, DType::kF32), inputs);
    CHECK(relative_difference(expected.at("lse_NH"), actual.at("lse_NH")) < 1e-6);
    CHECK(relative_difference(expected.at("y_NQ"), actual.at("y_NQ")) < 1e-2);
}

TEST_CASE("attention: reference against central differences") {
    Random random("attention gradient");
    const Sizes s{2, 3, 4, 2, 2};
    const Values inputs = backward_inputs(s, random);
    const Values gradients = run_op(Machine(1), backward_op(s, DType::kF64), inputs);
    check_gradient(forward_op(s, DType::kF64), inputs, "qkv_NP", {{"y_NQ", inputs.at("dy_NQ")}},
                   gradients.at("dqkv_NP"));
}
