#include "ops/cross_entropy.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

CrossEntropy make_op(int64_t n, int64_t v, DType t, double z_weight = 0) {
    const DType acc = accumulator_of(t);
    return {described({n, v}, t), described({n}, DType::kI32), described({n}, acc),
            described({n}, acc),  described({n, v}, t),        z_weight};
}

Values random_inputs(int64_t n, int64_t v, double range, Random& random) {
    Values inputs{{"logits_NV", random.vector(n * v, -range, range)}};
    for (int64_t i = 0; i < n; ++i)
        inputs["targets_N"].push_back(static_cast<double>(random.integer(-1, v - 1)));
    inputs["targets_N"];
    return inputs;
}

}  // namespace

TEST_CASE("cross_entropy: every implementation against reference, odd sizes, unscored targets") {
    Random random("cross_entropy");
    for (int64_t n : {0, 1, 5, 140})
        for (int64_t v : {1, 2, 15, 16, 17, 33, 256}) {
            const Values inputs = random_inputs(n, v, 4, random);
            check_op<CrossEntropy>([&](DType t) { return make_op(n, v, t); }, inputs);
            check_op<CrossEntropy>([&](DType t) { return make_op(n, v, t, 0.1); }, inputs);
        }
    // Wider than what a block keeps of a row.
    check_op<CrossEntropy>([&](DType t) { return make_op(2, 70001, t, 0.1); },
                           random_inputs(2, 70001, 4, random));
    // Logits that overflow exp without the subtraction of the highest.
    check_op<CrossEntropy>([&](DType t) { return make_op(9, 40, t); },
                           random_inputs(9, 40, 300, random));
}

TEST_CASE("cross_entropy: dlogits may be absent, and may alias the logits") {
    Random random("cross_entropy alias");
    const Values inputs = random_inputs(3, 21, 3, random);
    for_implementations<CrossEntropy>([&](const Machine& machine) {
        const Values apart = run_op(machine, make_op(3, 21, DType::kF32), inputs);
        std::vector<float> logits(inputs.at("logits_NV").begin(), inputs.at("logits_NV").end());
        std::vector<int32_t> targets(inputs.at("targets_N").begin(), inputs.at("targets_N").end());
        CrossEntropy op = make_op(3, 21, DType::kF32);
        op.dlogits_NV.data = nullptr;
        std::vector<Buffer> buffers;
        for (Tensor* tensor : {&op.logits_NV, &op.targets_N, &op.loss_N, &op.z_loss_N})
            tensor->data = buffers.emplace_back(*machine.backend, tensor->bytes()).data();
        machine.stream.upload(op.logits_NV, logits.data(), op.logits_NV.bytes());
        machine.stream.upload(op.targets_N, targets.data(), op.targets_N.bytes());
        machine.ops.run(op, machine.stream);
        std::vector<float> loss(3);
        machine.stream.download(loss.data(), op.loss_N, op.loss_N.bytes());
        for (size_t i = 0; i < 3; ++i) CHECK(loss[i] == apart.at("loss_N")[i]);
        op.dlogits_NV = op.logits_NV;
        machine.ops.run(op, machine.stream);
        machine.stream.download(logits.data(), op.logits_NV, op.logits_NV.bytes());
        for (size_t i = 0; i < logits.size(); ++i) CHECK(logits[i] == apart.at("dlogits_NV")[i]);
    });
}

TEST_CASE("cross_entropy: reference against central differences") {
    Random random("cross_entropy gradient");
    const Values inputs = random_inputs(3, 6, 2, random);
    for (double z_weight : {0.0, 0.3}) {
        const auto op = make_op(3, 6, DType::kF64, z_weight);
        check_gradient(op, inputs, "logits_NV", {{"loss_N", {1, 1, 1}}, {"z_loss_N", {1, 1, 1}}},
                       run_op(Machine(1), op, inputs).at("dlogits_NV"));
    }
}

TEST_CASE("cross_entropy: one logit that is NaN makes the loss NaN") {
    for_implementations<CrossEntropy>([](const Machine& machine) {
        for (size_t at : {0, 16, 36}) {
            Values inputs{{"logits_NV", std::vector<double>(37)}, {"targets_N", {3}}};
            inputs["logits_NV"][at] = std::numeric_limits<double>::quiet_NaN();
            CHECK(std::isnan(run_op(machine, make_op(1, 37, DType::kF32), inputs).at("loss_N")[0]));
        }
    });
}
