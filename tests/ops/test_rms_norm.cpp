#include "ops/rms_norm.hpp"

#include <bit>
#include <cmath>

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

// The same with a residual, of which the sum is normed.
RmsNormForward adding_forward_op(int64_t n, int64_t c, DType storage) {
    RmsNormForward op = forward_op(n, c, storage);
    op.residual_NC = op.sum_NC = described({n, c}, storage);
    return op;
}
// The same with a gradient that dx is added to.
RmsNormBackward adding_backward_op(int64_t n, int64_t c, DType storage) {
    RmsNormBackward op = backward_op(n, c, storage);
    op.dskip_NC = described({n, c}, storage);
    return op;
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

TEST_CASE("rms_norm: of a sum, and added to a gradient, odd sizes") {
    Random random("rms_norm adding");
    for (int64_t n : {0, 1, 3, 300})
        for (int64_t c : {1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 130}) {
            Values inputs = backward_inputs(n, c, random);
            inputs["residual_NC"] = random.vector(n * c);
            inputs["dskip_NC"] = random.vector(n * c);
            check_op<RmsNormForward>([&](DType t) { return adding_forward_op(n, c, t); }, inputs);
            check_op<RmsNormBackward>([&](DType t) { return adding_backward_op(n, c, t); }, inputs);
        }
}

// The sum's bits are those of Add. Where it replaces x, and where dx replaces dskip or dy, all is
// as with tensors of their own.
TEST_CASE("rms_norm: sums and gradients in place") {
    Random random("rms_norm in place");
    const int64_t n = 5, c = 67;
    Values inputs = backward_inputs(n, c, random);
    inputs["residual_NC"] = random.vector(n * c);
    inputs["dskip_NC"] = random.vector(n * c);
    for (const DType storage : {DType::kF32, DType::kBf16})
        for_implementations<RmsNormForward, RmsNormBackward>([&](const Machine& machine) {
            const auto memory = [&](const char* name, Tensor& tensor) {
                Buffer buffer(*machine.backend, tensor.bytes());
                tensor.data = buffer.data();
                std::vector<std::byte> bytes(tensor.bytes());
                Tensor host = tensor;
                host.data = bytes.data();
                if (const auto values = inputs.find(name); values != inputs.end())
                    for (int64_t i = 0; i < tensor.elements(); ++i)
                        write_element(host, i, values->second[static_cast<size_t>(i)]);
                machine.stream.upload(tensor, bytes.data(), bytes.size());
                return buffer;
            };
            // Runs with tensors of their own, then with `to` in the place of `from`.
            const auto check = [&]<class Op>(Op op, Tensor Op::*from, Tensor Op::*to,
                                             const std::vector<Tensor Op::*>& results) {
                std::vector<std::byte> first;
                for (const bool in_place : {false, true}) {
                    std::vector<Buffer> buffers;
                    Op ready = op;
                    Op::tensors([&](std::string_view name, Tensor Op::*member, Role role) {
                        Tensor& tensor = ready.*member;
                        if (role == Role::kScratch)
                            tensor = described(
                                {static_cast<int64_t>(machine.ops.scratch_bytes(op))}, DType::kU8);
                        buffers.push_back(memory(std::string(name).c_str(), tensor));
                    });
                    if (in_place) ready.*to = ready.*from;
                    machine.ops.run(ready, machine.stream);
                    std::vector<std::byte> all;
                    for (Tensor Op::*member : results) {
                        const Tensor& tensor = ready.*member;
                        const size_t begin = all.size();
                        all.resize(begin + tensor.bytes());
                        machine.stream.download(all.data() + begin, tensor, tensor.bytes());
                    }
                    machine.stream.synchronize();
                    if (!in_place)
                        first = all;
                    else
                        CHECK(all == first);
                }
            };
            using Forward = RmsNormForward;
            using Backward = RmsNormBackward;
            const Forward forward = adding_forward_op(n, c, storage);
            for (Tensor Forward::*from : {&Forward::x_NC, &Forward::residual_NC})
                check(forward, from, &Forward::sum_NC,
                      {&Forward::sum_NC, &Forward::y_NC, &Forward::rstd_N});
            check(adding_backward_op(n, c, storage), &Backward::dskip_NC, &Backward::dx_NC,
                  {&Backward::dx_NC, &Backward::dgain_C});
        });
}

// As Bf16(float) rounds: ties to even, infinity beyond the largest, subnormals kept, NaN still NaN.
TEST_CASE("rms_norm: a bf16 sum of any bits is rounded to the nearest") {
    const int64_t n = 40, c = 167;
    Random random("rms_norm bits");
    std::vector<Bf16> x(static_cast<size_t>(n * c)), residual(x.size());
    for (auto* values : {&x, &residual})
        for (Bf16& value : *values) value.bits = static_cast<uint16_t>(random.integer(0, 65535));
    for (size_t i = 0; i < x.size(); i += 3)  // of one size: ties
        residual[i].bits = static_cast<uint16_t>(x[i].bits ^ random.integer(0, 1023));
    for_implementations<RmsNormForward>([&](const Machine& machine) {
        RmsNormForward op = adding_forward_op(n, c, DType::kBf16);
        std::vector<Buffer> buffers;
        RmsNormForward::tensors([&](std::string_view, Tensor RmsNormForward::*member, Role) {
            (op.*member).data = buffers.emplace_back(*machine.backend, (op.*member).bytes()).data();
        });
        std::vector<float> gain(static_cast<size_t>(c), 1.0f);
        gain.back() = std::bit_cast<float>(~uint32_t{0});  // NaN, to be rounded as such
        machine.stream.upload(op.gain_C, gain.data(), op.gain_C.bytes());
        machine.stream.upload(op.x_NC, x.data(), op.x_NC.bytes());
        machine.stream.upload(op.residual_NC, residual.data(), op.residual_NC.bytes());
        machine.ops.run(op, machine.stream);
        std::vector<Bf16> sum(x.size()), y(x.size());
        machine.stream.download(sum.data(), op.sum_NC, op.sum_NC.bytes());
        machine.stream.download(y.data(), op.y_NC, op.y_NC.bytes());
        machine.stream.synchronize();
        size_t wrong = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            const Bf16 expected(static_cast<float>(x[i]) + static_cast<float>(residual[i]));
            const bool is_nan = std::isnan(static_cast<float>(expected));
            wrong +=
                is_nan ? !std::isnan(static_cast<float>(sum[i])) : sum[i].bits != expected.bits;
        }
        for (size_t last = gain.size() - 1; last < y.size(); last += gain.size())
            wrong += !std::isnan(static_cast<float>(y[last]));
        CHECK(wrong == 0);
    });
}

TEST_CASE("rms_norm: reference against central differences") {
    Random random("rms_norm gradient");
    Values inputs = backward_inputs(3, 5, random);
    inputs["dgain_C"].assign(5, 0.0);
    const Values gradients = run_op(Machine(1), backward_op(3, 5, DType::kF64), inputs);
    const auto op = forward_op(3, 5, DType::kF64);
    check_gradient(op, inputs, "x_NC", {{"y_NC", inputs["dy_NC"]}}, gradients.at("dx_NC"));
    check_gradient(op, inputs, "gain_C", {{"y_NC", inputs["dy_NC"]}}, gradients.at("dgain_C"));

    // With a residual: both summands have the gradient of the sum.
    inputs["residual_NC"] = Random("rms_norm residual").vector(15);
    const auto adding = adding_forward_op(3, 5, DType::kF64);
    const Values results = run_op(Machine(1), adding, inputs);
    Values of_sum = inputs;
    of_sum["x_NC"] = results.at("sum_NC");
    of_sum["rstd_N"] = results.at("rstd_N");
    of_sum["dskip_NC"] = Random("rms_norm skip").vector(15);
    const Values added = run_op(Machine(1), adding_backward_op(3, 5, DType::kF64), of_sum);
    const std::map<std::string, std::vector<double>> weights{{"y_NC", inputs["dy_NC"]},
                                                             {"sum_NC", of_sum["dskip_NC"]}};
    check_gradient(adding, inputs, "x_NC", weights, added.at("dx_NC"));
    check_gradient(adding, inputs, "residual_NC", weights, added.at("dx_NC"));
    check_gradient(adding, inputs, "gain_C", weights, added.at("dgain_C"));
}
