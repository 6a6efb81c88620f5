// The paper's runs have the paper's sizes.

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
}
