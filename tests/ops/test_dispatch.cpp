#include "ops/dispatch.hpp"

#include <numeric>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

DispatchPlan plan_op(int64_t n, int64_t e, int64_t k) {
    return {described({n, k}, DType::kI32), described({e}, DType::kI64),
            described({n, k}, DType::kI32)};
}
// N tokens of width C, K experts each: the four ops that move rows.
struct Moves {
    int64_t n, k, c;

    Tensor tokens(DType t) const { return described({n, c}, t); }
    Tensor rows(DType t) const { return described({n * k, c}, t); }
    Tensor slots() const { return described({n, k}, DType::kI32); }
    Tensor weights(DType t) const { return described({n, k}, accumulator_of(t)); }

    DispatchForward dispatch(DType t) const { return {tokens(t), slots(), rows(t)}; }
    DispatchBackward dispatch_backward(DType t) const { return {rows(t), slots(), tokens(t)}; }
    CombineForward combine(DType t) const { return {rows(t), slots(), weights(t), tokens(t)}; }
    CombineBackward combine_backward(DType t) const {
        return {tokens(t), rows(t), slots(), weights(t), rows(t), weights(t)};
    }
};

// K different experts for each token, and how often each occurs.
Values random_choice(int64_t n, int64_t e, int64_t k, Random& random) {
    Values inputs{{"experts_NK", {}}, {"counts_E", std::vector<double>(static_cast<size_t>(e))}};
    std::vector<double> all(static_cast<size_t>(e));
    std::iota(all.begin(), all.end(), 0.0);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < k; ++j) {
            std::swap(all[static_cast<size_t>(j)],
                      all[static_cast<size_t>(random.integer(j, e - 1))]);
            inputs["experts_NK"].push_back(all[static_cast<size_t>(j)]);
            ++inputs["counts_E"][static_cast<size_t>(all[static_cast<size_t>(j)])];
        }
    return inputs;
}

Values random_inputs(int64_t n, int64_t e, int64_t k, int64_t c, Random& random) {
    Values inputs = random_choice(n, e, k, random);
    inputs["slots_NK"] = run_op(Machine(1), plan_op(n, e, k), inputs).at("slots_NK");
    for (const char* name : {"x_NC", "dy_NC"}) inputs[name] = random.vector(n * c);
    for (const char* name : {"rows_RC", "drows_RC"}) inputs[name] = random.vector(n * k * c);
    inputs["weights_NK"] = random.vector(n * k);
    return inputs;
}

}  // namespace

TEST_CASE("dispatch and combine: every implementation against reference, odd sizes") {
    Random random("dispatch");
    for (int64_t n : {0, 1, 3, 300})
        for (int64_t e : {1, 2, 7, 16, 17, 64, 130})
            for (int64_t k : {1, 2, 8}) {
                if (k > e) continue;
                const int64_t c = std::vector<int64_t>{1, 8, 17, 130}[static_cast<size_t>(e) % 4];
                const Values inputs = random_inputs(n, e, k, c, random);
                const Moves moves{n, k, c};
                check_op<DispatchPlan>([&](DType) { return plan_op(n, e, k); }, inputs);
                check_op<DispatchForward>([&](DType t) { return moves.dispatch(t); }, inputs);
                check_op<DispatchBackward>([&](DType t) { return moves.dispatch_backward(t); },
                                           inputs);
                check_op<CombineForward>([&](DType t) { return moves.combine(t); }, inputs);
                check_op<CombineBackward>([&](DType t) { return moves.combine_backward(t); },
                                          inputs);
            }
}

TEST_CASE("dispatch and combine: reference against central differences") {
    Random random("dispatch gradient");
    const Moves moves{5, 3, 4};
    Values inputs = random_inputs(5, 6, 3, 4, random);
    const Machine machine(1);
    const Values dispatch = run_op(machine, moves.dispatch_backward(DType::kF64), inputs);
    check_gradient(moves.dispatch(DType::kF64), inputs, "x_NC", {{"rows_RC", inputs["drows_RC"]}},
                   dispatch.at("dx_NC"));
    const Values combine = run_op(machine, moves.combine_backward(DType::kF64), inputs);
    for (const char* name : {"rows_RC", "weights_NK"})
        check_gradient(moves.combine(DType::kF64), inputs, name, {{"y_NC", inputs["dy_NC"]}},
                       combine.at(std::string("d") + name));
}

TEST_CASE("dispatch.plan: slots are a bijection, by expert, within an expert by token") {
    Random random("dispatch plan");
    for_implementations<DispatchForward, CombineForward>([&](const Machine& machine) {
        for (int64_t e : {3, 64, 200}) {
            const int64_t n = 500, k = 3;
            const Values inputs = random_choice(n, e, k, random);
            const Values results = run_op(machine, plan_op(n, e, k), inputs);
            std::vector<int64_t> entry_of(static_cast<size_t>(n * k), -1);  // by slot
            for (int64_t i = 0; i < n * k; ++i) {
                const double slot = results.at("slots_NK")[static_cast<size_t>(i)];
                REQUIRE((slot >= 0 && slot < static_cast<double>(n * k)));
                REQUIRE(entry_of[static_cast<size_t>(slot)] == -1);
                entry_of[static_cast<size_t>(slot)] = i;
            }
            for (size_t slot = 1; slot < entry_of.size(); ++slot) {
                const auto before = static_cast<size_t>(entry_of[slot - 1]);
                const auto here = static_cast<size_t>(entry_of[slot]);
                const double step = inputs.at("experts_NK")[here] - inputs.at("experts_NK")[before];
                REQUIRE((step > 0 || (step == 0 && before < here)));
            }
        }
    });
}

TEST_CASE("dispatch: backward is the adjoint, exactly on small integers") {
    Random random("dispatch adjoint");
    const Moves moves{40, 4, 19};
    for_implementations<DispatchForward, CombineForward>([&](const Machine& machine) {
        Values inputs = random_inputs(40, 9, 4, 19, random);
        for (const char* name : {"x_NC", "drows_RC"})
            for (double& value : inputs[name]) value = static_cast<double>(random.integer(-4, 4));
        for (DType t : {DType::kF32, DType::kBf16}) {
            const auto rows = run_op(machine, moves.dispatch(t), inputs).at("rows_RC");
            const auto dx = run_op(machine, moves.dispatch_backward(t), inputs).at("dx_NC");
            CHECK(std::inner_product(rows.begin(), rows.end(), inputs["drows_RC"].begin(), 0.0) ==
                  std::inner_product(dx.begin(), dx.end(), inputs["x_NC"].begin(), 0.0));
        }
    });
}

TEST_CASE("combine: experts that change nothing give the token back, exactly on dyadic numbers") {
    Random random("combine identity");
    const Moves moves{33, 3, 21};
    for_implementations<DispatchForward, CombineForward>([&](const Machine& machine) {
        Values inputs = random_inputs(33, 5, 3, 21, random);
        for (double& x : inputs["x_NC"]) x = static_cast<double>(random.integer(-32, 32)) / 32;
        for (size_t i = 0; i < inputs["weights_NK"].size(); ++i)
            inputs["weights_NK"][i] = i % 3 == 0 ? 0.5 : 0.25;
        for (DType t : {DType::kF32, DType::kBf16}) {
            inputs["rows_RC"] = run_op(machine, moves.dispatch(t), inputs).at("rows_RC");
            CHECK(run_op(machine, moves.combine(t), inputs).at("y_NC") == inputs["x_NC"]);
        }
    });
}

TEST_CASE("combine: the same bits every time") {
    Random random("combine again");
    const Moves moves{200, 8, 130};
    const Values inputs = random_inputs(200, 16, 8, 130, random);
    const auto machines = tested_machines();
    const Machine& machine = *machines.back();
    const Values first = run_op(machine, moves.combine(DType::kF32), inputs);
    for (int again = 1; again < (tests_cuda() ? 5 : 100); ++again)
        REQUIRE(run_op(machine, moves.combine(DType::kF32), inputs) == first);
}

TEST_CASE("dispatch and combine: what would write elsewhere is refused", "[cpu]") {
    for_implementations<DispatchForward, CombineForward>([](const Machine& machine) {
        const auto plan = [&](const std::vector<double>& experts,
                              const std::vector<double>& counts) {
            return run_op(machine, plan_op(2, 3, 2),
                          {{"experts_NK", experts}, {"counts_E", counts}})
                .at("slots_NK");
        };
        CHECK(plan({2, 0, 0, 1}, {2, 1, 1}) == std::vector<double>{3, 0, 1, 2});
        CHECK_THROWS_AS(plan({2, 0, 0, 3}, {2, 1, 1}), InternalError);  // no such expert
        CHECK_THROWS_AS(plan({2, 0, 0, -1}, {2, 1, 1}), InternalError);
        CHECK_THROWS_AS(plan({2, 0, 1, 1}, {1, 2, 1}), InternalError);  // twice
        CHECK_THROWS_AS(plan({2, 0, 0, 1}, {1, 2, 1}), InternalError);  // miscounted
        CHECK_THROWS_AS(plan({2, 0, 0, 1}, {2, 1, 2}), InternalError);
        CHECK_THROWS_AS(plan({2, 0, 0, 1}, {2, 1, 0}), InternalError);
        CHECK_THROWS_AS(plan({2, 0, 0, 1}, {3, 2, -1}), InternalError);
        const Moves moves{1, 2, 1};
        for (double slot : {-1.0, 2.0}) {
            const Values inputs{{"x_NC", {1}},        {"dy_NC", {1}},
                                {"rows_RC", {1, 1}},  {"slots_NK", {0, slot}},
                                {"drows_RC", {1, 1}}, {"weights_NK", {1, 1}}};
            const DType t = DType::kF32;
            CHECK_THROWS_AS(run_op(machine, moves.dispatch(t), inputs), InternalError);
            CHECK_THROWS_AS(run_op(machine, moves.dispatch_backward(t), inputs), InternalError);
            CHECK_THROWS_AS(run_op(machine, moves.combine(t), inputs), InternalError);
            CHECK_THROWS_AS(run_op(machine, moves.combine_backward(t), inputs), InternalError);
        }
    });
}
