#include "ops/grouped_linear.hpp"

#include <numeric>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Groups of so many rows, with `matrices` matrices [out, in].
struct GroupedShape {
    std::vector<int64_t> groups;
    int64_t matrices, in, out;

    int64_t rows() const { return std::accumulate(groups.begin(), groups.end(), int64_t{0}); }
    Tensor offsets() const {
        return described({static_cast<int64_t>(groups.size()) + 1}, DType::kI64);
    }
    GroupedLinearForward forward(DType t) const {
        return {described({rows(), in}, t),
                described({matrices, out, in}, t),
                described({rows(), out}, t),
                offsets(),
                {}};
    }
    GroupedLinearBackwardInput backward_input(DType t) const {
        return {described({rows(), out}, t),
                described({matrices, out, in}, t),
                described({rows(), in}, t),
                offsets(),
                {}};
    }
    GroupedLinearBackwardWeight backward_weight(DType t) const {
        return {described({rows(), out}, t),
                described({rows(), in}, t),
                described({matrices, out, in}, accumulator_of(t)),
                offsets(),
                {}};
    }
};

Values random_inputs(const GroupedShape& shape, Random& random) {
    Values inputs{{"x_RI", random.vector(shape.rows() * shape.in)},
                  {"w_EOI", random.vector(shape.matrices * shape.out * shape.in)},
                  {"dy_RO", random.vector(shape.rows() * shape.out)},
                  {"dw_DOI", random.vector(shape.matrices * shape.out * shape.in)},
                  {"offsets_G", {0}}};
    for (int64_t rows : shape.groups)
        inputs["offsets_G"].push_back(inputs["offsets_G"].back() + static_cast<double>(rows));
    return inputs;
}

void check_all(const GroupedShape& shape, Random& random) {
    const Values inputs = random_inputs(shape, random);
    check_op<GroupedLinearForward>([&](DType t) { return shape.forward(t); }, inputs);
    check_op<GroupedLinearBackwardInput>([&](DType t) { return shape.backward_input(t); }, inputs);
    check_op<GroupedLinearBackwardWeight>([&](DType t) { return shape.backward_weight(t); },
                                          inputs);
}

// Elements [begin, end) of size `size` each.
std::vector<double> slice(const std::vector<double>& values, int64_t begin, int64_t end,
                          int64_t size) {
    return {values.begin() + begin * size, values.begin() + end * size};
}

// Inputs of group g alone, with its matrix.
Values of_group(const GroupedShape& shape, const Values& inputs, int64_t g) {
    const auto index = static_cast<size_t>(g);
    const int64_t first =
        std::accumulate(shape.groups.begin(), shape.groups.begin() + g, int64_t{0});
    const int64_t last = first + shape.groups[index], e = g % shape.matrices;
    return {{"x_RI", slice(inputs.at("x_RI"), first, last, shape.in)},
            {"dy_RO", slice(inputs.at("dy_RO"), first, last, shape.out)},
            {"w_EOI", slice(inputs.at("w_EOI"), e, e + 1, shape.out * shape.in)},
            {"dw_DOI", slice(inputs.at("dw_DOI"), e, e + 1, shape.out * shape.in)},
            {"offsets_G", {0, static_cast<double>(last - first)}}};
}

// f(machine, storage) for every implementation and type that it takes.
template <class F>
void for_products(F&& f) {
    for (const char* name : {"onednn", "reference"})
        for (DType t : {DType::kF32, DType::kBf16}) {
            Machine machine(3);
            const auto known = machine.ops.implementations(GroupedLinearForward::kName);
            if (std::find(known.begin(), known.end(), name) == known.end()) continue;
            const GroupedShape one{{1}, 1, 1, 1};
            if (machine.ops.choice(one.forward(t)) == "reference" &&
                std::string_view(name) != "reference")
                continue;
            machine.ops.force("grouped_linear", name);
            INFO(name << " in " << name_of(t));
            f(machine, t);
        }
}

const std::vector<int64_t> kOneRank{300, 0, 17, 1, 16, 15};
const std::vector<int64_t> kTwoRanks{0, 17, 300, 15, 1, 0, 16, 0, 1, 31, 0, 259};

}  // namespace

TEST_CASE("grouped_linear: every implementation against reference, odd sizes") {
    Random random("grouped linear");
    const int64_t sizes[][2] = {{1, 1}, {7, 5}, {33, 70}, {70, 33}, {16, 129}};  // in, out
    for (const auto& size : sizes) {
        check_all({kOneRank, 6, size[0], size[1]}, random);   // D = E = G
        check_all({kTwoRanks, 6, size[0], size[1]}, random);  // D = E, twice as many groups
        check_all({kTwoRanks, 12, size[0], size[1]}, random);
    }
    // Several parts along both sides of a matrix.
    check_all({{37, 0, 260, 5}, 2, 140, 530}, random);
    check_all({{37, 5}, 1, 530, 40}, random);
}

TEST_CASE("grouped_linear: no rows, no columns, nothing to add up") {
    Random random("grouped linear empty");
    check_all({{0, 0, 0, 0}, 2, 7, 5}, random);
    check_all({{3, 0, 20, 1}, 2, 0, 5}, random);
    check_all({{3, 0, 20, 1}, 2, 7, 0}, random);
}

TEST_CASE("grouped_linear: reference against central differences") {
    Random random("grouped linear gradient");
    const GroupedShape shape{{2, 0, 3, 1}, 2, 4, 3};
    Values inputs = random_inputs(shape, random);
    inputs["dw_DOI"].assign(inputs["dw_DOI"].size(), 0.0);
    const Machine machine(1);
    const DType t = DType::kF64;
    const auto dx = run_op(machine, shape.backward_input(t), inputs).at("dx_RI");
    const auto dw = run_op(machine, shape.backward_weight(t), inputs).at("dw_DOI");
    check_gradient(shape.forward(t), inputs, "x_RI", {{"y_RO", inputs["dy_RO"]}}, dx);
    check_gradient(shape.forward(t), inputs, "w_EOI", {{"y_RO", inputs["dy_RO"]}}, dw);
}

TEST_CASE("grouped_linear: a group's bits are those that it has alone", "[cpu]") {
    Random random("grouped linear alone");
    const auto groups = static_cast<int64_t>(kTwoRanks.size());
    const GroupedShape shape{kTwoRanks, 6, 40, 300}, all_own{kTwoRanks, groups, 40, 300};
    const Values inputs = random_inputs(shape, random), own_inputs = random_inputs(all_own, random);
    for_products([&](const Machine& machine, DType t) {
        const auto y = run_op(machine, shape.forward(t), inputs).at("y_RO");
        const auto dx = run_op(machine, shape.backward_input(t), inputs).at("dx_RI");
        const auto dw = run_op(machine, all_own.backward_weight(t), own_inputs).at("dw_DOI");
        int64_t first = 0;
        for (int64_t g = 0; g < groups; ++g) {
            const int64_t last = first + shape.groups[static_cast<size_t>(g)];
            const GroupedShape alone{{last - first}, 1, 40, 300};
            const Values own = of_group(shape, inputs, g);
            CHECK(run_op(machine, alone.forward(t), own).at("y_RO") == slice(y, first, last, 300));
            CHECK(run_op(machine, alone.backward_input(t), own).at("dx_RI") ==
                  slice(dx, first, last, 40));
            CHECK(run_op(machine, alone.backward_weight(t), of_group(all_own, own_inputs, g))
                      .at("dw_DOI") == slice(dw, g, g + 1, 40 * 300));
            first = last;
        }
    });
}

TEST_CASE("grouped_linear: a group's numbers reach no other group", "[cpu]") {
    Random random("grouped linear apart");
    const GroupedShape shape{{17, 3, 40}, 3, 9, 20};
    Values inputs = random_inputs(shape, random), damaged = inputs;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const auto& [name, width] : std::map<std::string, int64_t>{{"x_RI", 9}, {"dy_RO", 20}})
        for (int64_t r = 0; r < 60; ++r)
            if (r < 17 || r >= 20)
                for (int64_t c = 0; c < width; ++c)
                    damaged[name][static_cast<size_t>(r * width + c)] = nan;
    for_products([&](const Machine& machine, DType t) {
        const auto same = [&](const auto& op, const char* result, int64_t begin, int64_t end,
                              int64_t size) {
            return slice(run_op(machine, op, inputs).at(result), begin, end, size) ==
                   slice(run_op(machine, op, damaged).at(result), begin, end, size);
        };
        CHECK(same(shape.forward(t), "y_RO", 17, 20, 20));
        CHECK(same(shape.backward_input(t), "dx_RI", 17, 20, 9));
        CHECK(same(shape.backward_weight(t), "dw_DOI", 1, 2, 9 * 20));
    });
}

TEST_CASE("grouped_linear: offsets that don't fit the rows are refused", "[cpu]") {
    Random random("grouped linear offsets");
    const GroupedShape shape{{2, 3, 1}, 3, 2, 2};
    Values inputs = random_inputs(shape, random);
    for_products([&](const Machine& machine, DType t) {
        const std::vector<std::vector<double>> wrong = {{1, 2, 5, 6}, {0, 2, 5, 5},  {0, 2, 5, 7},
                                                        {0, 4, 3, 6}, {0, -1, 5, 6}, {0, 7, 5, 6}};
        for (const auto& offsets : wrong) {
            inputs["offsets_G"] = offsets;
            CHECK_THROWS_AS(run_op(machine, shape.forward(t), inputs), InternalError);
            CHECK_THROWS_AS(run_op(machine, shape.backward_input(t), inputs), InternalError);
            CHECK_THROWS_AS(run_op(machine, shape.backward_weight(t), inputs), InternalError);
        }
    });
}
