#include "ops/linear.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

LinearForward forward_op(int64_t n, int64_t in, int64_t out, DType t) {
    return {described({n, in}, t), described({out, in}, t), described({n, out}, t), {}};
}
LinearBackwardInput input_op(int64_t n, int64_t in, int64_t out, DType t) {
    return {described({n, out}, t), described({out, in}, t), described({n, in}, t), {}};
}
LinearBackwardWeight weight_op(int64_t n, int64_t in, int64_t out, DType t) {
    return {
        described({n, out}, t), described({n, in}, t), described({out, in}, accumulator_of(t)), {}};
}

Values random_inputs(int64_t n, int64_t in, int64_t out, Random& random) {
    return {{"x_NI", random.vector(n * in)},
            {"w_OI", random.vector(out * in)},
            {"dy_NO", random.vector(n * out)},
            {"dw_OI", random.vector(out * in)}};
}

}  // namespace

TEST_CASE("linear: every implementation against reference, odd sizes") {
    Random random("linear");
    // The last sizes are cut into several parts along both sides.
    const int64_t sizes[][3] = {{0, 3, 5},   {1, 1, 1},    {3, 17, 9},     {31, 16, 33},
                                {64, 65, 1}, {129, 7, 70}, {300, 33, 201}, {257, 140, 129}};
    for (const auto& size : sizes) {
        const int64_t n = size[0], in = size[1], out = size[2];
        const Values inputs = random_inputs(n, in, out, random);
        check_op<LinearForward>([&](DType t) { return forward_op(n, in, out, t); }, inputs);
        check_op<LinearBackwardInput>([&](DType t) { return input_op(n, in, out, t); }, inputs);
        check_op<LinearBackwardWeight>([&](DType t) { return weight_op(n, in, out, t); }, inputs);
    }
}

TEST_CASE("linear: reference against central differences") {
    Random random("linear gradient");
    Values inputs = random_inputs(3, 4, 5, random);
    inputs["dw_OI"].assign(20, 0.0);
    const Machine machine(1);
    const auto dx = run_op(machine, input_op(3, 4, 5, DType::kF64), inputs).at("dx_NI");
    const auto dw = run_op(machine, weight_op(3, 4, 5, DType::kF64), inputs).at("dw_OI");
    const auto op = forward_op(3, 4, 5, DType::kF64);
    check_gradient(op, inputs, "x_NI", {{"y_NO", inputs["dy_NO"]}}, dx);
    check_gradient(op, inputs, "w_OI", {{"y_NO", inputs["dy_NO"]}}, dw);
}
