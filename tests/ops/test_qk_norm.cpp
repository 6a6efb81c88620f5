#include "ops/qk_norm.hpp"

#include "ops/rms_norm.hpp"
#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Sizes {
    int64_t rows, heads, kv_heads, width;
    bool per_head;
    int64_t packed() const { return (heads + 2 * kv_heads) * width; }
    int64_t gain_q() const { return per_head ? width : heads * width; }
    int64_t gain_k() const { return per_head ? width : kv_heads * width; }
    int64_t segments() const { return per_head ? heads + kv_heads : 2; }
};

QkNormForward forward_op(const Sizes& s, DType t) {
    const DType acc = accumulator_of(t);
    return {described({s.rows, s.packed()}, t),
            described({s.gain_q()}, acc),
            described({s.gain_k()}, acc),
            described({s.rows, s.packed()}, t),
            described({s.rows, s.segments()}, acc),
            s.heads,
            s.kv_heads,
            s.per_head};
}
QkNormBackward backward_op(const Sizes& s, DType t) {
    const DType acc = accumulator_of(t);
    return {described({s.rows, s.packed()}, t),
            described({s.gain_q()}, acc),
            described({s.gain_k()}, acc),
            described({s.rows, s.segments()}, acc),
            described({s.rows, s.packed()}, t),
            described({s.gain_q()}, acc),
            described({s.gain_k()}, acc),
            {},
            s.heads,
            s.kv_heads,
            s.per_head};
}

Values backward_inputs(const Sizes& s, Random& random) {
    Values inputs{{"x_NP", random.apart_from_zero(s.rows * s.packed(), 0.5, 2)},
                  {"gain_q", random.vector(s.gain_q(), 0.5, 1.5)},
                  {"gain_k", random.vector(s.gain_k(), 0.5, 1.5)}};
    inputs["rstd_NS"] = run_op(Machine(1), forward_op(s, DType::kF64), inputs)["rstd_NS"];
    inputs["d_NP"] = random.vector(s.rows * s.packed());
    inputs["dgain_q"] = random.vector(s.gain_q());
    inputs["dgain_k"] = random.vector(s.gain_k());
    return inputs;
}

}  // namespace

TEST_CASE("qk_norm: every implementation against reference, odd sizes") {
    Random random("qk_norm");
    for (bool per_head : {false, true})
        for (int64_t rows : {0, 1, 3, 300})
            for (const Sizes& s :
                 {Sizes{rows, 1, 1, 2, per_head}, Sizes{rows, 2, 1, 8, per_head},
                  Sizes{rows, 3, 3, 6, per_head}, Sizes{rows, 4, 2, 34, per_head}}) {
                const Values inputs = backward_inputs(s, random);
                check_op<QkNormForward>([&](DType t) { return forward_op(s, t); }, inputs);
                check_op<QkNormBackward>([&](DType t) { return backward_op(s, t); }, inputs);
            }
}

TEST_CASE("qk_norm: reference against central differences") {
    Random random("qk_norm gradient");
    for (bool per_head : {false, true}) {
        const Sizes s{3, 4, 2, 2, per_head};
        Values inputs = backward_inputs(s, random);
        inputs["dgain_q"].assign(inputs["dgain_q"].size(), 0.0);
        inputs["dgain_k"].assign(inputs["dgain_k"].size(), 0.0);
        const Values gradients = run_op(Machine(1), backward_op(s, DType::kF64), inputs);
        const auto op = forward_op(s, DType::kF64);
        const std::map<std::string, std::vector<double>> weights{{"y_NP", inputs["d_NP"]}};
        check_gradient(op, inputs, "x_NP", weights, gradients.at("d_NP"));
        check_gradient(op, inputs, "gain_q", weights, gradients.at("dgain_q"));
        check_gradient(op, inputs, "gain_k", weights, gradients.at("dgain_k"));
    }
}

TEST_CASE("qk_norm: over the whole projection it is rms_norm of the queries") {
    Random random("qk_norm rms_norm");
    const Sizes s{5, 3, 1, 4, false};
    const Values inputs = backward_inputs(s, random);
    const Machine machine(1);
    const std::vector<double> y = run_op(machine, forward_op(s, DType::kF64), inputs).at("y_NP");
    for (int64_t n = 0; n < s.rows; ++n) {
        const auto row = [&](const std::vector<double>& all, int64_t count) {
            const auto begin = all.begin() + n * s.packed();
            return std::vector<double>(begin, begin + count);
        };
        const RmsNormForward op{described({1, 12}, DType::kF64), described({12}, DType::kF64),
                                described({1, 12}, DType::kF64), described({1}, DType::kF64), 1e-5};
        const Values queries{{"x_NC", row(inputs.at("x_NP"), 12)}, {"gain_C", inputs.at("gain_q")}};
        CHECK(relative_difference(run_op(machine, op, queries).at("y_NC"), row(y, 12)) < 1e-14);
    }
}
