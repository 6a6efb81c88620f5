#include "ops/rotary.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

RotaryTable table_op(int64_t time, int64_t width, DType t) {
    return {described({time, width}, t), 10000};
}
RotaryApply apply_op(int64_t time, int64_t width, int64_t n, int64_t heads, int64_t rotated,
                     bool inverse, DType t) {
    return {described({time, width}, accumulator_of(t)), described({n, heads * width}, t), rotated,
            inverse};
}

}  // namespace

TEST_CASE("rotary: every implementation against reference") {
    Random random("rotary");
    check_op<RotaryTable>([&](DType t) { return table_op(9, 10, accumulator_of(t)); }, {});
    for (int64_t width : {2, 14, 32, 34, 66})
        for (bool inverse : {false, true}) {
            Values inputs = run_op(Machine(1), table_op(5, width, DType::kF64), {});
            inputs["x_NP"] = random.vector(15 * 4 * width);
            check_op<RotaryApply>([&](DType t) { return apply_op(5, width, 15, 4, 3, inverse, t); },
                                  inputs);
        }
}

TEST_CASE("rotary: the inverse turns back, and is the gradient") {
    Random random("rotary inverse");
    const Machine machine(1);
    Values inputs = run_op(machine, table_op(4, 6, DType::kF64), {});
    inputs["x_NP"] = random.vector(8 * 12);
    const auto x = inputs["x_NP"];
    inputs["x_NP"] = run_op(machine, apply_op(4, 6, 8, 2, 1, false, DType::kF64), inputs)["x_NP"];
    const auto back = run_op(machine, apply_op(4, 6, 8, 2, 1, true, DType::kF64), inputs)["x_NP"];
    CHECK(relative_difference(x, back) < 1e-15);

    const std::vector<double> dy = random.vector(8 * 12);
    Values backward = inputs;
    backward["x_NP"] = dy;
    check_gradient(apply_op(4, 6, 8, 2, 1, false, DType::kF64), inputs, "x_NP", {{"x_NP", dy}},
                   run_op(machine, apply_op(4, 6, 8, 2, 1, true, DType::kF64), backward)["x_NP"]);
}
