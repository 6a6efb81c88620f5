#include "cuda_budget/budget.hpp"
#include "support/catch.hpp"

using namespace polytrain::budget;

namespace {

KernelUse use_of(int registers, const std::string& arch = "sm_90a") {
    return {.symbol = "_Z5scalev", .arch = arch, .registers = registers};
}

// The only problem; "" when there is none.
std::string problem_of(const KernelUse& use, const KernelCode& code, const Budget& budget) {
    const auto problems = problems_of(use, &code, &budget);
    REQUIRE(problems.size() <= 1);
    return problems.empty() ? "" : problems[0];
}

}  // namespace

TEST_CASE("cuda budget: occupancy is what registers, shared memory and threads leave") {
    CHECK(occupancy_of(use_of(32), 256, 0) == 1.0);
    CHECK(occupancy_of(use_of(64), 256, 0) == 0.5);
    CHECK(occupancy_of(use_of(255), 256, 0) == 0.125);
    // 100 KiB a block: two fit in an H100's 228 KiB, one in an A100's 164.
    CHECK(occupancy_of(use_of(32), 256, 100 << 10) == 0.25);
    CHECK(occupancy_of(use_of(32, "sm_80"), 256, 100 << 10) == 0.125);
    CHECK(occupancy_of(use_of(32, "sm_100"), 1024, 0) == 1.0);
}

TEST_CASE("cuda budget: each way to break a budget is named") {
    const Budget budget{.pattern = "scale*",
                        .registers = 32,
                        .static_shared = 128,
                        .occupancy = 0.9,
                        .vector_loads = true,
                        .vector_stores = true};
    const KernelCode code{.block = 256, .wide_loads = true, .wide_stores = true};
    CHECK(problem_of(use_of(32), code, budget).empty());

    KernelUse use = use_of(33);
    CHECK_THAT(problem_of(use, code,
                          [&] {
                              Budget loose = budget;
                              loose.occupancy = 0;
                              return loose;
                          }()),
               ContainsSubstring("sm_90a: scale(): 33 registers, budget 32"));
    use = use_of(32);
    use.static_shared = 129;
    CHECK_THAT(problem_of(use, code, budget), ContainsSubstring("129 bytes of static shared"));
    use = use_of(32);
    use.stack = use.spill_stores = 8;
    CHECK_THAT(problem_of(use, code, budget), ContainsSubstring("spills registers (8 bytes"));
    use.spill_stores = 0;
    CHECK_THAT(problem_of(use, code, budget), ContainsSubstring("8 bytes of local memory"));

    KernelCode other = code;
    other.block = 64 * 9;  // three blocks of 576 fit: 1728 of 2048 threads
    CHECK_THAT(problem_of(use_of(32), other, budget), ContainsSubstring("occupancy 0.84"));
    other.block = 0;
    CHECK_THAT(problem_of(use_of(32), other, budget), ContainsSubstring("__launch_bounds__"));
    other = code;
    other.wide_loads = false;
    CHECK_THAT(problem_of(use_of(32), other, budget), ContainsSubstring("128-bit load"));
    other = code;
    other.wide_stores = false;
    CHECK_THAT(problem_of(use_of(32), other, budget), ContainsSubstring("128-bit store"));
    other = code;
    other.f64 = true;
    CHECK_THAT(problem_of(use_of(32), other, budget), ContainsSubstring("f64"));

    CHECK(problems_of(use_of(1), &code, nullptr).size() == 1);
    CHECK(problems_of(use_of(1), nullptr, &budget).size() == 1);
}

TEST_CASE("cuda budget: the first pattern that fits counts") {
    const std::vector<Budget> budgets = {{.pattern = "*scale*", .registers = 1},
                                         {.pattern = "*", .registers = 2}};
    CHECK(budget_of(budgets, "_Z5scalev")->registers == 1);
    CHECK(budget_of(budgets, "_Z5otherv")->registers == 2);
    CHECK(budget_of({budgets[0]}, "_Z5otherv") == nullptr);
}
