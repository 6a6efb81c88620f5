#include "ops/embedding.hpp"

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

EmbeddingForward forward_op(int64_t n, int64_t v, int64_t c, DType t) {
    return {described({n}, DType::kI32), described({v, c}, t), described({n, c}, t)};
}
EmbeddingBackward backward_op(int64_t n, int64_t v, int64_t c, DType t) {
    return {described({n}, DType::kI32),
            described({n, c}, t),
            described({v, c}, accumulator_of(t)),
            {}};
}

Values random_inputs(int64_t n, int64_t v, int64_t c, Random& random) {
    Values inputs{{"table_VC", random.vector(v * c)},
                  {"dy_NC", random.vector(n * c)},
                  {"dtable_VC", random.vector(v * c)},
                  {"ids_N", {}}};
    for (int64_t i = 0; i < n; ++i)
        inputs["ids_N"].push_back(static_cast<double>(random.integer(0, v - 1)));
    return inputs;
}

}  // namespace

TEST_CASE("embedding: every implementation against reference, repeated ids") {
    Random random("embedding");
    for (int64_t n : {0, 1, 7, 200})
        for (int64_t c : {1, 16, 63, 65, 130}) {
            const Values inputs = random_inputs(n, 5, c, random);
            check_op<EmbeddingForward>([&](DType t) { return forward_op(n, 5, c, t); }, inputs);
            check_op<EmbeddingBackward>([&](DType t) { return backward_op(n, 5, c, t); }, inputs);
        }
    // More ids than a digit of a sort, more rows than a part of it, and rows alike in number.
    for (int64_t v : {int64_t{1}, int64_t{300}, int64_t{70000}}) {
        const Values inputs = random_inputs(5000, v, 3, random);
        check_op<EmbeddingBackward>([&](DType t) { return backward_op(5000, v, 3, t); }, inputs);
    }
}

TEST_CASE("embedding: backward adds in the order of the rows") {
    // 1 + 2^-24 + 2^-24 is 1 in f32 from the left, 1 + 2^-23 from the right.
    for_implementations<EmbeddingBackward>([](const Machine& machine) {
        std::vector<double> dy(300, std::exp2(-24));
        dy[0] = 1;
        Values inputs{{"ids_N", std::vector<double>(300, 1)},
                      {"dy_NC", dy},
                      {"dtable_VC", std::vector<double>(3)}};
        const EmbeddingBackward op = backward_op(300, 3, 1, DType::kF32);
        CHECK(run_op(machine, op, inputs).at("dtable_VC")[1] == 1);
        std::swap(inputs["dy_NC"][0], inputs["dy_NC"][299]);
        CHECK(run_op(machine, op, inputs).at("dtable_VC")[1] > 1.00001);
    });
}

TEST_CASE("embedding: reference against central differences") {
    Random random("embedding gradient");
    Values inputs = random_inputs(6, 4, 3, random);
    inputs["dtable_VC"].assign(12, 0.0);
    check_gradient(forward_op(6, 4, 3, DType::kF64), inputs, "table_VC",
                   {{"y_NC", inputs["dy_NC"]}},
                   run_op(Machine(1), backward_op(6, 4, 3, DType::kF64), inputs).at("dtable_VC"));
}

TEST_CASE("embedding: an id outside the vocabulary is refused", "[cpu]") {
    const Machine machine;
    for (double id : {-1.0, 4.0}) {
        Values inputs{{"ids_N", {id}}, {"table_VC", std::vector<double>(12)}};
        CHECK_THROWS_AS(run_op(machine, forward_op(1, 4, 3, DType::kF32), inputs), InternalError);
    }
}
