#include "ops/activation.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// One activation in one form.
struct Case {
    const ActivationInfo* info;
    int order;
    bool gated;

    int64_t x_width(int64_t width) const { return gated ? 2 * width : width; }
    ActivationForward forward(int64_t n, int64_t width, DType t) const {
        const DType acc = accumulator_of(t);
        return {info,
                order,
                gated,
                described({n, x_width(width)}, t),
                described({info->coefficients(order)}, acc),
                described({n, width}, t),
                described({n, info->statistics(order)}, acc)};
    }
    ActivationBackward backward(int64_t n, int64_t width, DType t) const {
        const ActivationForward f = forward(n, width, t);
        return {info,      order,  gated,  f.x_NX,           f.coefficients_P,
                f.rstd_NR, f.y_NF, f.x_NX, f.coefficients_P, {}};
    }
    Values inputs(int64_t n, int64_t width, Random& random) const {
        const int64_t count = info->coefficients(order);
        Values inputs{{"x_NX", random.apart_from_zero(n * x_width(width), 0.5, 2)},
                      {"coefficients_P", random.vector(count, -1, 1)}};
        inputs["rstd_NR"] =
            run_op(Machine(1), forward(n, width, DType::kF64), inputs).at("rstd_NR");
        inputs["dy_NF"] = random.vector(n * width);
        inputs["dcoefficients_P"] = random.vector(count);
        return inputs;
    }
};

// Every activation of the catalogue, gated and not, at its lowest and highest order and at 3.
std::vector<Case> all_cases(const ActivationCatalog& catalog) {
    std::vector<Case> cases;
    for (const ActivationInfo& info : catalog.all())
        for (bool gated : {false, true}) {
            if (!info.has_order()) cases.push_back({&info, 0, gated});
            for (int order = info.min_order; order <= info.max_order && info.has_order(); ++order)
                if (order == info.min_order || order == 3 || order == info.max_order)
                    cases.push_back({&info, order, gated});
        }
    return cases;
}

}  // namespace

TEST_CASE("activation: every implementation against reference, odd sizes, gated and not") {
    Random random("activation");
    const Machine machine;
    REQUIRE(machine.ops.activations().all().size() >= 5);
    for (const Case& c : all_cases(machine.ops.activations()))
        for (const auto& size : {std::pair<int64_t, int64_t>{0, 5},
                                 {1, 1},
                                 {3, 15},
                                 {2, 16},
                                 {5, 17},
                                 {2, 33},
                                 {40, 520}}) {
            const int64_t n = size.first, width = size.second;
            INFO(c.info->name << " order " << c.order << (c.gated ? " gated " : " ") << n << " x "
                              << width);
            const Values inputs = c.inputs(n, width, random);
            check_op<ActivationForward>([&](DType t) { return c.forward(n, width, t); }, inputs);
            check_op<ActivationBackward>([&](DType t) { return c.backward(n, width, t); }, inputs);
        }
}

TEST_CASE("activation: rows wider than a block of a device keeps") {
    Random random("activation wide");
    const Machine machine;
    for (const char* name : {"polynorm", "polyrelunorm"})
        for (bool gated : {false, true})
            for (int64_t width : {16384, 40003}) {
                const Case c{machine.ops.activations().find(name), 3, gated};
                INFO(name << (gated ? " gated " : " ") << width);
                const Values inputs = c.inputs(2, width, random);
                check_op<ActivationForward>([&](DType t) { return c.forward(2, width, t); },
                                            inputs);
                check_op<ActivationBackward>([&](DType t) { return c.backward(2, width, t); },
                                             inputs);
            }
}

TEST_CASE("activation: reference against central differences") {
    Random random("activation gradient");
    const Machine machine(1);
    for (const Case& c : all_cases(machine.ops.activations())) {
        INFO(c.info->name << " order " << c.order << (c.gated ? " gated" : ""));
        Values inputs = c.inputs(2, 5, random);
        inputs["dcoefficients_P"].assign(inputs["coefficients_P"].size(), 0.0);
        const Values gradients = run_op(machine, c.backward(2, 5, DType::kF64), inputs);
        const auto op = c.forward(2, 5, DType::kF64);
        check_gradient(op, inputs, "x_NX", {{"y_NF", inputs["dy_NF"]}}, gradients.at("dx_NX"));
        check_gradient(op, inputs, "coefficients_P", {{"y_NF", inputs["dy_NF"]}},
                       gradients.at("dcoefficients_P"));
    }
}

TEST_CASE("activation: far out in both tails") {
    const Machine machine;
    for (const char* name : {"relu", "relu2", "gelu", "gelu_tanh", "silu"}) {
        const Case c{machine.ops.activations().find(name), 0, false};
        Values inputs{{"x_NX", {-1e4, -100, -20, -10, -5, 5, 10, 100, 1e4}},
                      {"coefficients_P", {}},
                      {"rstd_NR", {}},
                      {"dcoefficients_P", {}},
                      {"dy_NF", std::vector<double>(9, 1.0)}};
        check_op<ActivationForward>([&](DType t) { return c.forward(9, 1, t); }, inputs);
        check_op<ActivationBackward>([&](DType t) { return c.backward(9, 1, t); }, inputs);
    }
    // gelu's left tail keeps its relative accuracy: x Phi(x) at -5 is -1.43326e-6.
    const Case gelu{machine.ops.activations().find("gelu"), 0, false};
    const Values at{{"x_NX", {-5.0}}, {"coefficients_P", {}}};
    for (const auto& tested : tested_machines())
        CHECK(run_op(*tested, gelu.forward(1, 1, DType::kF32), at).at("y_NF")[0] ==
              Approx(-1.4332578593e-6).epsilon(1e-5));
}

TEST_CASE(
    "activation: test vectors, the polynomials' by the paper's formulas, the others' by PyTorch") {
    const auto machines = tested_machines();
    const Machine& tested = *machines.back();
    const Machine exact;
    const auto check = [&](const char* name, const std::vector<double>& s,
                           const std::vector<double>& y, const std::vector<double>& dx,
                           const std::vector<double>& da) {
        const Case c{tested.ops.activations().find(name), 3, false};
        REQUIRE(c.info != nullptr);
        for (DType storage : {DType::kF64, DType::kF32}) {
            INFO(name << " in " << name_of(storage));
            const Machine& machine = storage == DType::kF64 ? exact : tested;
            // In f32 a gradient's terms, ten times its size, cancel.
            const double limit = storage == DType::kF64 ? 1e-8 : 5e-6;
            std::vector<double> coefficients{0.1, 0.5, -0.25, 0.75, 0.25};
            coefficients.resize(da.size());
            Values inputs{{"x_NX", {1, -2, 0.5, 3}},
                          {"coefficients_P", coefficients},
                          {"dy_NF", {0.1, -0.2, 0.3, 0.4}},
                          {"dcoefficients_P", std::vector<double>(da.size())}};
            const Values forward = run_op(machine, c.forward(1, 4, storage), inputs);
            CHECK(relative_difference(y, forward.at("y_NF")) < limit);
            CHECK(relative_difference(s, forward.at("rstd_NR")) < limit);
            inputs["rstd_NR"] = forward.at("rstd_NR");
            const Values backward = run_op(machine, c.backward(1, 4, storage), inputs);
            CHECK(relative_difference(dx, backward.at("dx_NX")) < limit);
            CHECK(relative_difference(da, backward.at("dcoefficients_P")) < limit);
        }
    };
    check("polynorm", {0.5298128685, 0.2019661126, 0.0709766456},
          {0.36764739, -1.05763885, 0.22648440, 1.87757262},
          {-0.001487287, -0.096166707, 0.059410254, -0.073517040},
          {0.6, 0.9801538067, 0.6008491850, 0.8898696937});
    check("polyrelu", {}, {1.1, 0.1, 0.38125, 19.6}, {0.225, 0, 0.24375, 7.7},
          {0.6, 1.45, 3.775, 10.9375});
    check("polyprelu", {}, {1.1, -0.30625, 0.38125, 19.6}, {0.225, -0.065625, 0.24375, 7.7},
          {0.6, 1.55, 3.725, 10.9625, 0.525});
    check("polyrelunorm", {0.62469492566, 0.22077892448, 0.07402252863},
          {0.4126696282, 0.1, 0.2493146607, 2.039246013},
          {-0.004752124258, 0, 0.06810104107, -0.009766076622},
          {0.6, 0.9058076422, 0.8334404399, 0.8096214069});
    check("relu2", {}, {1, 0, 0.25, 9}, {0.2, 0, 0.3, 2.4}, {});
    check("gelu", {}, {0.8413447461, -0.0455002639, 0.3457312306, 2.995950306},
          {0.1083315471, 0.01704636022, 0.2602485374, 0.4047782589}, {});
    check("gelu_tanh", {}, {0.8411919906, -0.04540230591, 0.3457140098, 2.996362608},
          {0.1082964084, 0.01721985132, 0.2602109711, 0.4046336667}, {});
    check("silu", {}, {0.7310585786, -0.238405844, 0.3112296656, 2.85772238},
          {0.09276705119, 0.01815684976, 0.2219883562, 0.4352416424}, {});
}

TEST_CASE("activation: a coefficient that is NaN, whatever its bits, makes all results NaN") {
    const int64_t n = 2, width = 37;
    for_implementations<ActivationForward>([&](const Machine& machine) {
        for (const Case& c : all_cases(machine.ops.activations())) {
            if (!c.info->has_order()) continue;
            INFO(c.info->name << " order " << c.order << (c.gated ? " gated" : ""));
            ActivationForward op = c.forward(n, width, DType::kBf16);
            std::vector<Buffer> buffers;
            ActivationForward::tensors(
                [&](std::string_view, Tensor ActivationForward::*member, Role) {
                    (op.*member).data =
                        buffers.emplace_back(*machine.backend, (op.*member).bytes()).data();
                });
            const std::vector<Bf16> x(static_cast<size_t>(op.x_NX.elements()), Bf16(0.5f));
            std::vector<float> a(static_cast<size_t>(op.coefficients_P.elements()), 0.5f);
            a[0] = std::bit_cast<float>(~uint32_t{0});
            machine.stream.upload(op.x_NX, x.data(), op.x_NX.bytes());
            machine.stream.upload(op.coefficients_P, a.data(), op.coefficients_P.bytes());
            machine.ops.run(op, machine.stream);
            std::vector<Bf16> y(static_cast<size_t>(n * width));
            machine.stream.download(y.data(), op.y_NF, op.y_NF.bytes());
            machine.stream.synchronize();
            CHECK(std::all_of(y.begin(), y.end(),
                              [](Bf16 value) { return std::isnan(static_cast<float>(value)); }));
        }
    });
}

TEST_CASE("activation: initial coefficients are 0 and 1/r") {
    const Machine machine;
    for (const char* name : {"polynorm", "polyrelu"}) {
        const ActivationInfo* info = machine.ops.activations().find(name);
        REQUIRE(info->coefficients(3) == 4);
        CHECK(info->initial(0, 3) == 0);
        for (int k = 1; k <= 3; ++k) CHECK(info->initial(k, 3) == Approx(1.0 / 3));
    }
}
