#include "ops/op_table.hpp"

#include "kernels/cpu/backend.hpp"
#include "ops/elementwise.hpp"
#include "support/catch.hpp"

using namespace polytrain;

namespace {

Implementation<Fill> implementation(const std::string& name, bool applies, std::string& ran) {
    return {name,
            [=](const Fill&) { return applies; },
            [name, &ran](const Fill&, const Stream&) { ran = name; },
            {}};
}

}  // namespace

TEST_CASE("op table: the first that applies runs; force picks; unknown names are told") {
    const auto backend = make_cpu_backend(1);
    const Stream stream(*backend);
    OpTable table;
    std::string ran;
    table.add(implementation("picky", false, ran));
    table.add(implementation("first", true, ran));
    table.add(implementation("second", true, ran));
    CHECK(table.implementations("fill.fill") ==
          std::vector<std::string>{"picky", "first", "second"});
    table.run(Fill{}, stream);
    CHECK(ran == "first");
    table.force("fill", "second");
    table.run(Fill{}, stream);
    CHECK(ran == "second");
    table.force("fill", "picky");
    CHECK_THROWS_WITH(table.run(Fill{}, stream), ContainsSubstring("'picky' does not apply"));
    CHECK_THROWS_WITH(table.force("fil", "first"), ContainsSubstring("there are: fill"));
    CHECK_THROWS_WITH(table.force("fill", "third"), ContainsSubstring("first, picky, second"));
}

TEST_CASE("op table: wrong shapes are a programmer's mistake") {
    const auto backend = make_cpu_backend(1);
    const Stream stream(*backend);
    OpTable table;
    backend->register_ops(table);
    const Tensor a{nullptr, Shape{2}, DType::kF32, {}}, b{nullptr, Shape{3}, DType::kF32, {}};
    CHECK_THROWS_AS(table.run(Add{a, b, a}, stream), InternalError);
}
