#include "ops/adamw.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

AdamW make_op(int64_t n, DType t, int64_t step) {
    const DType acc = accumulator_of(t);
    AdamW op;
    op.weight = op.gradient = op.m = op.v = described({n}, acc);
    op.lr = 0.01;
    op.weight_decay = 0.1;
    op.gradient_scale = 0.37;
    op.step = step;
    if (t == DType::kBf16) op.stored = described({n}, t);  // with a master copy
    return op;
}

}  // namespace

TEST_CASE("adamw: every implementation against reference, odd sizes, first and late steps") {
    Random random("adamw");
    for (int64_t n : {0, 1, 15, 17, 20000})
        for (int64_t step : {1, 2, 1000}) {
            const Values inputs{{"weight", random.vector(n)},
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

TEST_CASE("adamw: the stored weight is the master's, rounded") {
    Random random("adamw stored");
    const int64_t n = 1031;
    const Values inputs{{"weight", random.vector(n)},
                        {"gradient", random.vector(n)},
                        {"m", random.vector(n)},
                        {"v", random.vector(n, 0.1, 1)}};
    for_implementations<AdamW>([&](const Machine& machine) {
        const Values after = run_op(machine, make_op(n, DType::kBf16, 3), inputs);
        for (size_t i = 0; i < static_cast<size_t>(n); ++i)
            REQUIRE(after.at("stored")[i] == static_cast<double>(Bf16(after.at("weight")[i])));
    });
}
