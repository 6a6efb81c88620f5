// The compile gate and the check on what nvcc really makes of a few kernels, where there is nvcc.

#include <cstdlib>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;

namespace {

constexpr const char* kSample = POLYTRAIN_SOURCE_DIR "/tests/cuda_budget/sample";
constexpr const char* kBudgets = R"({"kernels": [
    {"kernel": "*::scale(*", "registers": 32, "static_shared": 16, "occupancy": 1.0,
     "vector_loads": true, "vector_stores": true},
    {"kernel": "*", "registers": 96, "vector_loads": true}
]})";

// The gate on the sample kernels; `environment` is shell text before the command.
ProgramResult run_gate(const TempFolder& folder, const std::string& environment,
                       const std::string& options = "") {
    return run_shell(environment + " " + POLYTRAIN_SOURCE_DIR "/scripts/cuda/compile_gate.sh " +
                     options + " --kernels " + kSample + " " + (folder / "out").string());
}

bool skipped(const ProgramResult& gate) {
    if (gate.out.find("no nvcc") == std::string::npos) return false;
    WARN("no nvcc on this machine: skipped");
    return true;
}

}  // namespace

TEST_CASE("cuda budget: the gate compiles a kernel for each architecture, the check passes it") {
    const TempFolder folder;
    spit(folder / "budgets.json", kBudgets);
    const ProgramResult gate = run_gate(
        folder, "", "--check " POLYTRAIN_BUDGET_CHECK " " + (folder / "budgets.json").string());
    INFO(gate.out << gate.err);
    REQUIRE(gate.exit_code == 0);
    if (skipped(gate)) return;
    for (const char* arch : {"sm_80", "sm_90a", "sm_100"})
        CHECK_THAT(gate.out, ContainsSubstring(std::string("| ") + arch + " |"));
    CHECK_THAT(gate.err, ContainsSubstring("3 kernels, 0 problems"));
}

TEST_CASE("cuda budget: the gate refuses kernels that spill") {
    const TempFolder folder;
    const ProgramResult gate = run_gate(folder, "NVCC_APPEND_FLAGS=-DPOLYTRAIN_BAD");
    if (skipped(gate)) return;
    CHECK(gate.exit_code != 0);
    CHECK_THAT(gate.out + gate.err, ContainsSubstring("sample.cu"));
}

TEST_CASE("cuda budget: the check finds what is wrong in what nvcc made") {
    const TempFolder folder;
    spit(folder / "budgets.json", kBudgets);
    const ProgramResult gate =
        run_gate(folder, "NVCC_APPEND_FLAGS=-DPOLYTRAIN_BAD", "--allow-spills");
    INFO(gate.out << gate.err);
    REQUIRE(gate.exit_code == 0);
    if (skipped(gate)) return;
    const ProgramResult check =
        run_shell(POLYTRAIN_BUDGET_CHECK " " + (folder / "budgets.json").string() + " " +
                  (folder / "out").string());
    CHECK(check.exit_code == 1);
    for (const char* problem :
         {"sm_80: polytrain::cuda::narrow_loads(float const*, float*, long): no 128-bit load",
          "sm_90a: polytrain::cuda::with_f64(float4 const*, float4*): computes in f64",
          "sm_100: polytrain::cuda::with_local_memory(int const*, float*): has 256 bytes of local",
          "sm_90a: polytrain::cuda::spilling(float const*, float*): spills registers",
          "no_launch_bounds(float4 const*, float4*): neither"})
        CHECK_THAT(check.err, ContainsSubstring(problem));
    CHECK(check.err.find("cuda::scale(") == std::string::npos);
}

TEST_CASE("cuda budget: without nvcc the gate says so and passes") {
    const TempFolder folder;
    const ProgramResult gate = run_gate(folder, "POLYTRAIN_NVCC=none");
    CHECK(gate.exit_code == 0);
    CHECK_THAT(gate.out, ContainsSubstring("no nvcc"));
}
