#include "ops/router.hpp"

#include <numeric>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// The probabilities have the acc type: there is no router in bf16.
RouterForward forward_op(int64_t n, int64_t e, int64_t k, DType storage, bool renormalise) {
    const DType t = accumulator_of(storage);
    return {described({n, e}, t),
            described({e}, t),
            described({n, e}, t),
            described({n}, t),
            described({n, k}, DType::kI32),
            described({n, k}, t),
            described({e}, DType::kI64),
            described({e + 2}, DType::kF64),
            renormalise,
            {}};
}
RouterBackward backward_op(int64_t n, int64_t e, int64_t k, DType storage, bool renormalise,
                           double balance_scale, double z_scale) {
    const DType t = accumulator_of(storage);
    return {described({n, e}, t),
            described({n}, t),
            described({n, k}, DType::kI32),
            described({n, k}, t),
            described({n, k}, t),
            described({e}, DType::kI64),
            described({n, e}, t),
            renormalise,
            balance_scale,
            z_scale};
}

// A token's logits are different multiples of 1/8 and a bias is 0, 2 or 4, so that no choice hangs
// on a rounding.
Values random_inputs(int64_t n, int64_t e, int64_t k, Random& random) {
    Values inputs{{"logits_NE", {}}, {"bias_E", {}}, {"dweights_NK", random.vector(n * k)}};
    for (int64_t i = 0; i < n; ++i) {
        std::vector<double> row(static_cast<size_t>(e));
        const auto lowest = static_cast<double>(random.integer(-48, 16));
        std::iota(row.begin(), row.end(), lowest);
        for (int64_t j = e - 1; j > 0; --j)
            std::swap(row[static_cast<size_t>(j)], row[static_cast<size_t>(random.integer(0, j))]);
        for (double x : row) inputs["logits_NE"].push_back(x / 8);
    }
    for (int64_t j = 0; j < e; ++j) {
        inputs["bias_E"].push_back(2 * static_cast<double>(random.integer(0, 2)));
        inputs["balance_counts_E"].push_back(static_cast<double>(random.integer(0, 9)));
    }
    return inputs;
}

// With what forward leaves for backward.
Values with_results(Values inputs, const RouterForward& op) {
    inputs.merge(run_op(Machine(1), op, inputs));
    return inputs;
}

}  // namespace

TEST_CASE("router: every implementation against reference, odd sizes") {
    Random random("router");
    for (int64_t n : {0, 1, 3, 300})
        for (int64_t e : {1, 2, 7, 16, 17, 64})
            for (int64_t k : {1, 2, 8}) {
                if (k > e) continue;
                for (bool renormalise : {false, true}) {
                    const Values inputs =
                        with_results(random_inputs(n, e, k, random),
                                     forward_op(n, e, k, DType::kF64, renormalise));
                    check_op<RouterForward>(
                        [&](DType t) { return forward_op(n, e, k, t, renormalise); }, inputs);
                    check_op<RouterBackward>(
                        [&](DType t) { return backward_op(n, e, k, t, renormalise, 0.05, 0.02); },
                        inputs);
                }
            }
}

TEST_CASE("router: reference against central differences") {
    Random random("router gradient");
    const int64_t n = 4, e = 7, k = 3;
    for (bool renormalise : {false, true})
        for (double balance_scale : {0.0, 0.3})
            for (double z_scale : {0.0, 0.2}) {
                const RouterForward forward = forward_op(n, e, k, DType::kF64, renormalise);
                const Values inputs = random_inputs(n, e, k, random);
                const Values results =
                    run_op(Machine(1),
                           backward_op(n, e, k, DType::kF64, renormalise, balance_scale, z_scale),
                           with_results(inputs, forward));
                std::vector<double> by_probs, by_sums(static_cast<size_t>(e + 2));
                for (int64_t i = 0; i < n; ++i)
                    for (double count : inputs.at("balance_counts_E"))
                        by_probs.push_back(balance_scale * count);
                by_sums[static_cast<size_t>(e)] = z_scale;
                check_gradient(
                    forward,
                    {{"logits_NE", inputs.at("logits_NE")}, {"bias_E", inputs.at("bias_E")}},
                    "logits_NE",
                    {{"weights_NK", inputs.at("dweights_NK")},
                     {"probs_NE", by_probs},
                     {"sums_S", by_sums}},
                    results.at("dlogits_NE"));
            }
}

TEST_CASE("router: ties go to the lower index") {
    for_implementations<RouterForward>([](const Machine& machine) {
        const auto experts = [&](const std::vector<double>& logits, int64_t k) {
            const auto e = static_cast<int64_t>(logits.size());
            const Values results =
                run_op(machine, forward_op(1, e, k, DType::kF32, false),
                       {{"logits_NE", logits}, {"bias_E", std::vector<double>(logits.size())}});
            return results.at("experts_NK");
        };
        CHECK(experts(std::vector<double>(17, 0.3), 8) ==
              std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7});
        CHECK(experts({1, 2, 1, 3, 2, 3, 1}, 5) == std::vector<double>{3, 5, 1, 4, 0});
        CHECK(experts({1, 1}, 2) == std::vector<double>{0, 1});
    });
}

TEST_CASE("router: a bias moves the choice and nothing else") {
    Random random("router bias");
    const int64_t n = 50, e = 16, k = 4;
    for_implementations<RouterForward>([&](const Machine& machine) {
        const RouterForward op = forward_op(n, e, k, DType::kF32, false);
        Values inputs = random_inputs(n, e, k, random);
        const Values biased = run_op(machine, op, inputs);
        inputs["bias_E"].assign(static_cast<size_t>(e), 0.0);
        const Values plain = run_op(machine, op, inputs);
        for (const char* name : {"probs_NE", "lse_N", "sums_S"})
            CHECK(biased.at(name) == plain.at(name));
        CHECK(biased.at("experts_NK") != plain.at("experts_NK"));
        for (const Values* results : {&biased, &plain})
            for (int64_t i = 0; i < n * k; ++i) {
                const auto expert =
                    static_cast<int64_t>(results->at("experts_NK")[static_cast<size_t>(i)]);
                REQUIRE(results->at("weights_NK")[static_cast<size_t>(i)] ==
                        results->at("probs_NE")[static_cast<size_t>(i / k * e + expert)]);
            }
    });
}

TEST_CASE("router: whatever the numbers are, a token's experts are different ones") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<std::vector<double>> rows = {
        {0, 1, nan, 3, 4}, {nan, nan, nan, nan, nan}, {0, infinity, 1, infinity, 2}};
    for_implementations<RouterForward>([&](const Machine& machine) {
        const auto run = [&](const std::vector<double>& logits, const std::vector<double>& bias) {
            return run_op(machine, forward_op(1, 5, 4, DType::kF32, true),
                          {{"logits_NE", logits}, {"bias_E", bias}});
        };
        // One such logit makes every probability of the token NaN.
        for (const auto& row : rows) {
            const Values results = run(row, std::vector<double>(5));
            CHECK(results.at("experts_NK") == std::vector<double>{0, 1, 2, 3});
            CHECK(results.at("counts_E") == std::vector<double>{1, 1, 1, 1, 0});
            CHECK(std::isnan(results.at("sums_S")[5]));
        }
        const Values of_bias = run({0, 1, 2, 3, 4}, {nan, 0, nan, 0, nan});
        CHECK(of_bias.at("experts_NK") == std::vector<double>{3, 1, 0, 2});
        // Nothing of an expert that can't be is no NaN in the entropy.
        const Values none = run({0, 0, -infinity, -infinity, -infinity}, std::vector<double>(5));
        CHECK(none.at("experts_NK") == std::vector<double>{0, 1, 2, 3});
        CHECK(none.at("weights_NK") == std::vector<double>{0.5, 0.5, 0, 0});
        CHECK(none.at("sums_S")[6] == Approx(std::log(2.0)).epsilon(1e-6));
    });
}

TEST_CASE("router: balance is 1 for uniform probabilities and E when all choose one expert") {
    const int64_t n = 300, e = 16;
    // E sum_e f_e P_e, from counts and sums as the trainer does.
    const auto balance = [&](const Values& results, int64_t k) {
        double sum = 0;
        for (size_t i = 0; i < static_cast<size_t>(e); ++i)
            sum += results.at("counts_E")[i] / static_cast<double>(n * k) *
                   results.at("sums_S")[i] / static_cast<double>(n);
        return static_cast<double>(e) * sum;
    };
    for_implementations<RouterForward>([&](const Machine& machine) {
        Values inputs{{"logits_NE", std::vector<double>(static_cast<size_t>(n * e), 0.7)},
                      {"bias_E", std::vector<double>(static_cast<size_t>(e))}};
        for (int64_t k : {1, 4}) {
            const Values uniform = run_op(machine, forward_op(n, e, k, DType::kF32, true), inputs);
            CHECK(balance(uniform, k) == Approx(1).epsilon(1e-6));
            CHECK(uniform.at("weights_NK")[0] == Approx(1.0 / static_cast<double>(k)));
            const double lse = 0.7 + std::log(16.0);
            CHECK(uniform.at("sums_S")[16] / 300 == Approx(lse * lse).epsilon(1e-6));
            CHECK(uniform.at("sums_S")[17] / 300 == Approx(std::log(16.0)).epsilon(1e-6));
        }
        for (int64_t i = 0; i < n; ++i) inputs["logits_NE"][static_cast<size_t>(i * e + 5)] = 60;
        const Values collapsed = run_op(machine, forward_op(n, e, 1, DType::kF32, false), inputs);
        CHECK(balance(collapsed, 1) == Approx(e).epsilon(1e-6));
        CHECK(collapsed.at("counts_E")[5] == n);
        CHECK(collapsed.at("sums_S")[17] < 1e-6);
    });
}

TEST_CASE("router: an expert out of range is refused", "[cpu]") {
    for_implementations<RouterForward>([](const Machine& machine) {
        for (double expert : {-1.0, 2.0}) {
            const Values inputs{{"probs_NE", {0.5, 0.5}}, {"lse_N", {0}},
                                {"experts_NK", {expert}}, {"weights_NK", {1}},
                                {"dweights_NK", {1}},     {"balance_counts_E", {0, 0}}};
            for (bool renormalise : {false, true})
                CHECK_THROWS_AS(
                    run_op(machine, backward_op(1, 2, 1, DType::kF32, renormalise, 0, 0), inputs),
                    InternalError);
        }
    });
}
