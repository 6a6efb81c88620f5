#include "core/file.hpp"
#include "cuda_budget/budget.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::budget;
using namespace polytrain::testing;

TEST_CASE("cuda budget: what ptxas says of a kernel") {
    const auto uses = parse_ptxas(
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function '_Z1av' for 'sm_90a'\n"
        "ptxas info    : Function properties for _Z1av\n"
        "    600 bytes stack frame, 1080 bytes spill stores, 1284 bytes spill loads\n"
        "ptxas info    : Used 64 registers, used 1 barriers, 4100 bytes smem, 8 bytes cmem[2]\n"
        "ptxas info    : Compiling entry function '_Z1bv' for 'sm_90a'\n"
        "ptxas info    : Function properties for _Z6calleev\n"
        "    32 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Function properties for _Z1bv\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 10 registers, used 0 barriers, 32 bytes cumulative stack size\n");
    REQUIRE(uses.size() == 2);
    CHECK(uses[0].symbol == "_Z1av");
    CHECK(uses[0].arch == "sm_90a");
    CHECK(uses[0].registers == 64);
    CHECK(uses[0].static_shared == 4100);
    CHECK(uses[0].stack == 600);
    CHECK(uses[0].spill_stores == 1080);
    CHECK(uses[0].spill_loads == 1284);
    CHECK(uses[1].registers == 10);
    CHECK(uses[1].static_shared == 0);
    CHECK(uses[1].stack == 32);
    CHECK(thrown_by([] {
              parse_ptxas("ptxas info : Compiling entry function '_Z1av' for 'sm_80'\n");
          }).code == ExitCode::kCorrupt);
}

TEST_CASE("cuda budget: what the PTX shows of a kernel") {
    const auto code_of = [](const std::string& instruction) {
        return parse_ptx(".visible .entry k(\n)\n.maxntid 32, 4, 2\n{\n\t" + instruction + "\n}\n")
            .at("k");
    };
    CHECK(code_of("ret;").block == 256);
    CHECK_FALSE(code_of("ret;").f64);
    CHECK(code_of("ld.global.v4.f32 \t{%f1, %f2, %f3, %f4}, [%rd1];").wide_loads);
    CHECK(
        code_of("ld.global.nc.L1::no_allocate.v4.u32 \t{%r1, %r2, %r3, %r4}, [%rd1];").wide_loads);
    CHECK(code_of("ld.global.v2.b64 \t{%rd1, %rd2}, [%rd3];").wide_loads);
    CHECK(code_of("cp.async.cg.shared.global [%r1], [%rd1], 16;").wide_loads);
    CHECK(code_of("cp.async.cg.shared.global.L2::128B [%r1], [%rd1], 16, %r2;").wide_loads);
    CHECK_FALSE(code_of("ld.global.nc.v2.u16 \t{%rs1, %rs2}, [%rd1];").wide_loads);
    CHECK_FALSE(code_of("ld.global.v4.u16 \t{%rs1, %rs2, %rs3, %rs4}, [%rd1];").wide_loads);
    CHECK_FALSE(code_of("ld.shared.v4.f32 \t{%f1, %f2, %f3, %f4}, [%rd1];").wide_loads);
    CHECK_FALSE(code_of("cp.async.ca.shared.global [%r1], [%rd1], 4;").wide_loads);
    CHECK(code_of("st.global.v4.f32 \t[%rd1], {%f1, %f2, %f3, %f4};").wide_stores);
    CHECK_FALSE(code_of("st.global.f32 \t[%rd1], %f1;").wide_stores);
    CHECK(code_of("mul.f64 \t%fd1, %fd2, %fd3;").f64);
    CHECK(code_of("cp.async.cg.shared.global [%r1],[%rd1],16,%r2;").wide_loads);

    // What was not inlined counts for the kernels that call it.
    const std::string functions =
        ".func  (.param .b64 func_retval0) f(\n)\n{\n\tadd.f64 a, b, c;\n}\n"
        ".func g(\n)\n{\n\tcall.uni (retval0),\n\tf,\n\t(\n\tparam0\n\t);\n}\n";
    const auto calling = [&](const std::string& call) {
        return parse_ptx(functions + ".entry k(\n)\n{\n" + call + "}\n").at("k").f64;
    };
    CHECK(calling("\tcall.uni (retval0), f, (param0);\n"));
    CHECK(calling("\tcall.uni \n\tg,\n\t(\n\t);\n"));
    CHECK_FALSE(calling("\tadd.s32 f1, f2, f3;\n"));
}

TEST_CASE("cuda budget: a malformed budget file says so") {
    const TempFolder folder;
    const auto thrown = [&](const std::string& text) {
        spit(folder / "b.json", text);
        return thrown_by([&] { read_budgets(folder / "b.json"); });
    };
    CHECK(thrown("{").code == ExitCode::kCorrupt);
    CHECK(thrown(R"({"kernels": [{"kernel": "*", "registers": 1, "regs": 2}]})")
              .says("unknown key 'regs'"));
    CHECK(thrown(R"({"kernels": [{"kernel": "*"}]})").says("needs"));
    CHECK(thrown(R"({"kernels": [{"kernel": "*", "registers": 32}]})").code == ExitCode::kDone);
    CHECK_FALSE(read_budgets(POLYTRAIN_SOURCE_DIR "/kernels/cuda/budgets.json").empty());
}
