#include "tensor/memory_plan.hpp"

#include "kernels/cpu/backend.hpp"
#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("memory plan: scratch is a stack, all else keeps its bytes") {
    MemoryPlan plan;
    const TensorId weight = plan.add("w", {100}, DType::kF32, Life::kParameter);
    TensorId first, second, inner;
    {
        const MemoryPlan::Scope scope(plan);
        first = plan.add("first", {64}, DType::kF32, Life::kScratch);
        const MemoryPlan::Scope nested(plan);
        inner = plan.add("inner", {64}, DType::kF32, Life::kScratch);
    }
    {
        const MemoryPlan::Scope scope(plan);
        second = plan.add("second", {128}, DType::kF32, Life::kScratch);
    }
    CHECK(plan.bytes(Life::kParameter) == 512);  // 400, aligned
    CHECK(plan.bytes(Life::kScratch) == 512);
    CHECK(plan.total_bytes() == 1024);
    const auto backend = make_cpu_backend(1);
    const Arena arena(*backend, plan);
    const auto at = [&](TensorId id) { return static_cast<char*>(arena[id].data); };
    CHECK(at(first) - at(weight) == 512);
    CHECK(at(inner) - at(first) == 256);
    CHECK(at(second) == at(first));
    CHECK_FALSE(arena[TensorId{}].present());
}

TEST_CASE("memory plan: what libraries work in is a row of the table") {
    MemoryPlan plan;
    {
        const MemoryPlan::Scope scope(plan);
        plan.add("rows", {1024, 1024}, DType::kF32, Life::kScratch);
        plan.add("product.scratch", {int64_t{3} << 20}, DType::kU8, Life::kScratch);
    }
    CHECK(plan.op_scratch_bytes() == size_t{3} << 20);
    CHECK(plan.bytes(Life::kScratch) == size_t{7} << 20);
    CHECK_THAT(plan.table(), ContainsSubstring("3.00   of it for kernels and libraries"));
}

TEST_CASE("memory plan: what is borrowed has no memory but what is lent") {
    MemoryPlan own, other;
    const TensorId weight = own.add("w", {100}, DType::kF32, Life::kParameter);
    const TensorId borrowed = other.add("w", {100}, DType::kF32, Life::kBorrowed);
    const TensorId rows = other.add("rows", {64}, DType::kF32, Life::kSaved);
    CHECK(other.total_bytes() == 256);
    const auto backend = make_cpu_backend(1);
    const Arena owner(*backend, own);
    Arena borrower(*backend, other);
    CHECK_FALSE(borrower[borrowed].present());
    borrower.lend(borrowed, owner[weight]);
    CHECK(borrower[borrowed].data == owner[weight].data);
    CHECK_THROWS_AS(borrower.lend(rows, owner[weight]), InternalError);
}

TEST_CASE("memory plan: out of memory names the plan") {
    MemoryPlan plan;
    plan.add("huge", {int64_t{1} << 46}, DType::kF32, Life::kSaved);
    const auto backend = make_cpu_backend(1);
    try {
        const Arena arena(*backend, plan);
        FAIL("256 TiB were there");
    } catch (const Error& error) {
        CHECK_THAT(error.what(), ContainsSubstring("out of memory") && ContainsSubstring("huge"));
    }
}

TEST_CASE("shape: negative and overflowing dimensions are refused") {
    CHECK_THROWS_AS((Shape{-1}), InternalError);
    CHECK_THROWS_AS((Shape{int64_t{1} << 40, int64_t{1} << 40}), InternalError);
    CHECK(Shape{3, 0, 2}.elements() == 0);
    CHECK(Shape{}.elements() == 1);
    CHECK(Shape{2, 3}.text() == "[2, 3]");
}
