#include "ops/rms_norm.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

RmsNormForward forward_op(int64_t n, int64_t c, DType storage) {
    const DType acc = accumulator_of(storage);
    return {described({n, c}, storage), described({c}, acc), described({n, c}, storage),
            described({n}, acc), 1e-5};
}

RmsNormBackward backward_op(int64_t n, int64_t c, DType storage) {
    const DType acc = accumulator_of(storage);
    return {described({n, c}, storage),
            described({c}, acc),
            described({n}, acc),
            described({n, c}, storage),
            described({n, c}, storage),
            described({c}, acc),
            {}};
}

// What backward is given: forward's inputs and row statistics, a gradient, a sum so far.
Values backward_inputs(int64_t n, int64_t c, Random& random) {
    Values inputs{{"x_NC", random.apart_from_zero(n * c, 0.5, 2)},
                  {"gain_C", random.vector(c, 0.5, 1.5)}};
    inputs["rstd_N"] = run_op(Machine(1), forward_op(n, c, DType::kF64), inputs)["rstd_N"];
    inputs["dy_NC"] = random.vector(n * c);
    inputs["dgain_C"] = random.vector(c);
    return inputs;
}

}  // namespace

TEST_CASE("rms_norm: every implementation against reference, odd sizes") {
    Random random("rms_norm");
    for (int64_t n : {0, 1, 3, 300})
        for (int64_t c : {1, 7, 8, 9, 15, 16, 17, 31, 33, 130}) {
            const Values inputs = backward_inputs(n, c, random);
            check_op<RmsNormForward>([&](DType t) { return forward_op(n, c, t); }, inputs);
            check_op<RmsNormBackward>([&](DType t) { return backward_op(n, c, t); }, inputs);
        }
}

TEST_CASE("rms_norm: reference against central differences") {
    Random random("rms_norm gradient");
    Values inputs = backward_inputs(3, 5, random);
    inputs["dgain_C"].assign(5, 0.0);
    const Values gradients = run_op(Machine(1), backward_op(3, 5, DType::kF64), inputs);
    const auto op = forward_op(3, 5, DType::kF64);
    check_gradient(op, inputs, "x_NC", {{"y_NC", inputs["dy_NC"]}}, gradients.at("dx_NC"));
    check_gradient(op, inputs, "gain_C", {{"y_NC", inputs["dy_NC"]}}, gradients.at("dgain_C"));
}
