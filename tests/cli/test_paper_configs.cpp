// The paper's runs have the paper's sizes.

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/run_program.hpp"

using namespace polytrain::testing;

TEST_CASE("plan: the paper's dense models have one number of parameters") {
    for (const std::string activation :
         {"swiglu", "gelu", "relu", "relu2", "polyrelu", "polynorm"}) {
        INFO(activation);
        const ProgramResult run =
            run_program("plan --json '" POLYTRAIN_SOURCE_DIR "/configs/paper/dense_1b/" +
                        activation + ".json'");
        REQUIRE(run.exit_code == 0);
        const auto plan = nlohmann::json::parse(run.out);
        CHECK(plan["parameters"] == 1345423360);
        CHECK(plan["coefficients"] == (activation.starts_with("poly") ? 96 : 0));
        CHECK(plan["tokens_per_step"] == 1048576);
    }
    // 238,419 steps of 1,048,576 tokens and 8.887e9 operations a token, 4e14 of them a second.
    const std::string line = "plan --tflops 50 --ranks 8 '" POLYTRAIN_SOURCE_DIR
                             "/configs/paper/dense_1b/polynorm.json'";
    const auto plan = nlohmann::json::parse(run_program(line + " --json").out);
    CHECK(plan["seconds"].get<double>() ==
          Approx(238419.0 * 1048576 * plan["flops_per_token"].get<double>() / 4e14));
    CHECK_THAT(run_program(line).out, ContainsSubstring("238419 steps on 8 ranks of 50 TFLOP/s: "));
    const ProgramResult endless = run_program(line +
                                              " --set train.tokens=0 --set train.seconds=9 "
                                              "--set optimizer.schedule.tokens=1e9");
    CHECK(endless.exit_code == 2);
    CHECK_THAT(endless.err, ContainsSubstring("--tflops"));
}

TEST_CASE("plan: the paper's mixtures have the paper's numbers, and every layout of 64 ranks") {
    const std::string folder = "'" POLYTRAIN_SOURCE_DIR "/configs/paper/moe_7b/";
    for (const std::string activation : {"swiglu", "polynorm"}) {
        INFO(activation);
        const ProgramResult run = run_program("plan --json " + folder + activation + ".json'");
        REQUIRE(run.exit_code == 0);
        const auto plan = nlohmann::json::parse(run.out);
        CHECK(plan["parameters"] == 6919161856);
        CHECK(plan["parameters_active"] == 1282017280);
        CHECK(plan["coefficients"] == (activation == "polynorm" ? 64 : 0));
        CHECK(plan["tokens_per_step"] == 4194304);
    }
    const ProgramResult run = run_program("plan --json --ranks 64 " + folder + "polynorm.json'");
    REQUIRE(run.exit_code == 0);
    const auto plan = nlohmann::json::parse(run.out);
    REQUIRE(plan["grids"].size() == 7 * 3);  // expert 1, 2, 4 to 64
    for (const auto& grid : plan["grids"]) {
        INFO(grid["expert"] << ", sharding " << grid["sharding"]);
        const bool experts = grid["expert"] > 1;
        CHECK(grid["bytes"]["total"] > int64_t{1} << 30);
        CHECK(grid["sent"].contains("expert rows, all to all") == experts);
        CHECK(grid["sent"]["gradients, all to all"] > 0);
    }
    // In bf16 a rank has all of the dense parameters, and 1/expert of those of experts.
    const int64_t in_experts = 16LL * 64 * 2 * 2048 * 1536, dense = 6919161856 - in_experts;
    for (const auto& grid : plan["grids"]) {
        const int64_t held = dense + in_experts / grid["expert"].get<int64_t>();
        CHECK(std::fabs(grid["bytes"]["parameter"].get<double>() / (2.0 * held) - 1) < 0.01);
        // Sharded moments and remainders, 10 bytes a parameter, are spread over all ranks.
        if (grid["sharding"] > 0)
            CHECK(std::fabs(grid["bytes"]["optimizer"].get<double>() / (10.0 * 6919161856 / 64) -
                            1) < 0.1);
    }
}
