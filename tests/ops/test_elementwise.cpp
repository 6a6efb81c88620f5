#include "ops/elementwise.hpp"

#include <numeric>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("add and sum: every implementation against reference, odd sizes") {
    Random random("elementwise");
    for (int64_t n : {0, 1, 15, 16, 17, 1025, 140001}) {
        const Values inputs{
            {"a", random.vector(n)}, {"b", random.vector(n)}, {"x", random.vector(n, 0, 1)}};
        check_op<Add>(
            [&](DType t) {
                return Add{described({n}, t), described({n}, t), described({n}, t)};
            },
            inputs);
        for (bool squared : {false, true})
            check_op<Sum>(
                [&](DType t) {
                    return Sum{described({n}, t), described({1}, DType::kF64), squared, {}};
                },
                inputs);
    }
}

TEST_CASE("random_normal: moments, and a function of key and element alone") {
    const Machine machine(1);
    const auto draw = [&](int64_t n, std::string_view purpose) {
        const RandomNormal op{described({n}, DType::kF64), philox_key(7, purpose), 2.0};
        return run_op(machine, op, {}).at("y");
    };
    const std::vector<double> y = draw(100000, "a"), longer = draw(100001, "a");
    CHECK(std::equal(y.begin(), y.end(), longer.begin()));
    CHECK(y != draw(100000, "b"));
    const double mean = std::accumulate(y.begin(), y.end(), 0.0) / 1e5;
    double square = 0, fourth = 0;
    for (double x : y) {
        square += x * x / 1e5;
        fourth += x * x * x * x / 1e5;
    }
    CHECK(std::fabs(mean) < 0.03);
    CHECK(square == Approx(4.0).epsilon(0.03));
    CHECK(fourth == Approx(48.0).epsilon(0.06));
}

TEST_CASE("fill") {
    check_op<Fill>([](DType t) { return Fill{described({19}, t), 0.3}; }, {});
}
