#include "ops/adamw.hpp"

#include <cmath>
#include <limits>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

AdamW make_op(int64_t n, DType t, int64_t step) {
    AdamW op;
    op.weight = described({n}, t);
    if (t == DType::kBf16) op.remainder = described({n}, DType::kI16);
    op.gradient = op.m = op.v = described({n}, accumulator_of(t));
    op.lr = 0.01;
    op.weight_decay = 0.1;
    op.gradient_scale = 0.37;
    op.step = step;
    return op;
}

}  // namespace

TEST_CASE("adamw: every implementation against reference, odd sizes, first and late steps") {
    Random random("adamw");
    for (int64_t n : {0, 1, 15, 17, 20000})
        for (int64_t step : {1, 2, 1000}) {
            const Values inputs{{"weight", random.vector(n)},
                                {"remainder", std::vector<double>(static_cast<size_t>(n))},
                                {"gradient", random.vector(n)},
                                {"m", random.vector(n)},
                                {"v", random.vector(n, 0.1, 1)}};
            check_op<AdamW>([&](DType t) { return make_op(n, t, step); }, inputs);
        }
}

TEST_CASE("adamw: the formula by hand") {
    // One element, step 1, m = v = 0: the update is lr * (g / (|g| + eps) + decay * w).
    Values inputs{{"weight", {2.0}}, {"gradient", {-3.0}}, {"m", {0.0}}, {"v", {0.0}}};
    const Values after = run_op(Machine(1), make_op(1, DType::kF64, 1), inputs);
    CHECK(after.at("weight")[0] == Approx(2.0 - 0.01 * (-1.0 + 0.1 * 2.0)).epsilon(1e-8));
    CHECK(after.at("m")[0] == Approx(0.1 * -3.0 * 0.37));
    CHECK(after.at("v")[0] == Approx(0.05 * 9.0 * 0.37 * 0.37));
}

TEST_CASE("adamw: weights in two parts are updated as f32, and lose nothing") {
    Random random("adamw in two parts");
    const auto rate = GENERATE(1e-2, 1e-6);  // larger and far smaller than a step of bf16
    for (int64_t n : {1, 15, 1031}) {
        const auto count = static_cast<size_t>(n);
        Values inputs{{"gradient", random.vector(n)},
                      {"m", random.vector(n)},
                      {"v", random.vector(n, 0.1, 1)}};
        std::vector<double> whole = random.vector(n), &rounded = inputs["weight"];
        for (double& w : whole) {
            w = static_cast<double>(static_cast<float>(w));
            const SplitFloat parts = split_float(static_cast<float>(w));
            rounded.push_back(static_cast<double>(parts.rounded));
            inputs["remainder"].push_back(parts.remainder);
        }
        const auto op_of = [&](DType t) {
            AdamW op = make_op(n, t, 3);
            op.lr = rate;
            return op;
        };
        Values exact = inputs;
        exact["weight"] = whole;
        const Values expected = run_op(Machine(1), op_of(DType::kF64), exact);
        for_implementations<AdamW>([&](const Machine& machine) {
            const Values after = run_op(machine, op_of(DType::kBf16), inputs);
            std::vector<double> joined;
            for (size_t i = 0; i < count; ++i) {
                const Bf16 high(after.at("weight")[i]);
                const auto low = static_cast<int16_t>(after.at("remainder")[i]);
                joined.push_back(static_cast<double>(join_float(high, low)));
                const SplitFloat parts = split_float(join_float(high, low));
                REQUIRE(parts.rounded.bits == high.bits);
                REQUIRE(parts.remainder == low);
            }
            CHECK(relative_difference(expected.at("weight"), joined) < 2e-7);
        });
    }
}

TEST_CASE("adamw: a weight in two parts that becomes NaN or infinite shows in the stored part") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Values inputs{{"weight", {nan, 1, std::numeric_limits<double>::infinity()}},
                        {"remainder", {0, -3, 0}},
                        {"gradient", {1, nan, 1}},
                        {"m", {0, 0, 0}},
                        {"v", {0, 0, 0}}};
    for_implementations<AdamW>([&](const Machine& machine) {
        const Values after = run_op(machine, make_op(3, DType::kBf16, 1), inputs);
        for (const double weight : after.at("weight")) CHECK(!std::isfinite(weight));
    });
}
