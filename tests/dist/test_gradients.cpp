// Gradients must not depend on how ranks share the work: invariants of expert and data parallelism
// (I numbers: docs/distributed.md).

#include "dist/runs.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr double kTolerance = 2e-6;

// Pairs of everything with everything; [slow] has all combinations.
const std::vector<Spread> kSome{{2, 1, 0}, {2, 2, 1}, {4, 4, 0}, {4, 2, 2}, {4, 1, 1}};

std::vector<Spread> all_spreads() {
    std::vector<Spread> all;
    for (const int ranks : {1, 2, 4})
        for (const int expert : {1, 2, 4})
            for (const int sharding : {0, 1, 2})
                if (expert <= ranks) all.push_back({ranks, expert, sharding});
    return all;
}

void check_spreads(const nlohmann::json& config, const std::vector<Spread>& spreads,
                   const std::string& mask, double tolerance, int steps = 1) {
    const Gradients one = gradients_of(config, {}, mask, steps);
    for (const Spread& spread : spreads) {
        INFO(spread.text());
        const Gradients many = gradients_of(config, spread, mask, steps);
        check_same(one.tensors, many.tensors, tolerance);
        for (const char* figure : {"loss", "grad_norm", "balance_loss", "router_z_loss"}) {
            INFO(figure);
            const double expected = one.summary[figure], actual = many.summary[figure];
            CHECK(std::fabs(actual - expected) <= tolerance * std::fabs(expected));
        }
        CHECK(one.summary["scored"] == many.summary["scored"]);
        CHECK(one.summary.value("counts", nlohmann::json()) ==
              many.summary.value("counts", nlohmann::json()));
    }
}

nlohmann::json exact(nlohmann::json config) {
    config["parallel"]["reduction"] = "exact";
    return config;
}

// Every option of the mixture that changes a gradient.
nlohmann::json full_moe() {
    nlohmann::json config = small_moe();
    config["model"]["moe"] = {
        {"experts", 8},      {"top_k", 3},           {"renormalise", true},
        {"balance", 0.5},    {"z_loss", 0.1},        {"shared_hidden", 20},
        {"scope", "global"}, {"loss_form", "olmoe"}, {"coefficients", "expert"}};
    config["model"]["z_loss"] = 0.01;
    return config;
}

}  // namespace

TEST_CASE("I1, I2, I4: gradients of a mixture, uneven masks, a rank without a scored token") {
    if (!have_mpirun()) return;
    check_spreads(small_moe(), kSome, "uneven", kTolerance);
}

TEST_CASE("I1, I2, I12: scope global, shared experts, coefficients of each expert") {
    if (!have_mpirun()) return;
    check_spreads(full_moe(), kSome, "uneven", kTolerance);
}

TEST_CASE("I2, I14: gradients of a dense model with a tied head") {
    if (!have_mpirun()) return;
    check_spreads(small_dense(), {{2, 1, 2}, {4, 1, 1}}, "uneven", kTolerance);
}

TEST_CASE(
    "I1, I2, I13: exact reduction gives every layout the same bits, norm and loads included") {
    if (!have_mpirun()) return;
    check_spreads(exact(small_moe()), {{2, 2, 0}, {4, 2, 1}, {4, 4, 2}, {8, 4, 0}}, "uneven", 0, 3);
    check_spreads(exact(full_moe()), {{4, 2, 2}, {2, 1, 1}}, "none", 0);
    check_spreads(exact(small_dense()), {{2, 1, 1}, {4, 1, 2}, {8, 1, 0}}, "uneven", 0, 3);
}

TEST_CASE("I26: rows that come to experts in waves give the bits of those that come at once") {
    if (!have_mpirun()) return;
    // 24 tokens a micro-batch: 24 rows are the fewest that there may be room for.
    for (const char* recompute : {"none", "activation", "block"}) {
        nlohmann::json config = full_moe();
        config["model"]["moe"]["coefficients"] = "layer";
        config["train"]["recompute"] = recompute;
        const Spread spread{4, 4, 1};
        const Gradients any = gradients_of(config, spread, "uneven", 2);
        config["parallel"]["expert_rows"] = 1000;
        const Gradients once = gradients_of(config, spread, "uneven", 2);
        check_same(any.tensors, once.tensors, kTolerance);
        for (const int rows : {24, 45}) {
            INFO(recompute << ", " << rows);
            config["parallel"]["expert_rows"] = rows;
            const Gradients waves = gradients_of(config, spread, "uneven", 2);
            check_same(once.tensors, waves.tensors, 0);
            CHECK(once.summary == waves.summary);
        }
    }
    nlohmann::json config = exact(small_moe());
    config["parallel"]["expert_rows"] = 24;
    check_spreads(config, {{4, 4, 2}}, "uneven", 0);
}

TEST_CASE("I3, I12: with scope global the micro-batch changes nothing") {
    if (!have_mpirun()) return;
    nlohmann::json config = full_moe();
    const Gradients one = gradients_of(config, {}, "none");
    for (const int micro_batch : {1, 4, 16}) {
        INFO(micro_batch);
        config["train"]["micro_batch"] = micro_batch;
        const Gradients other = gradients_of(config, {}, "none");
        check_same(one.tensors, other.tensors, 4e-6);
        CHECK(double{one.summary["balance_loss"]} ==
              Approx(double{other.summary["balance_loss"]}).epsilon(1e-6));
    }
}

TEST_CASE("auxiliary losses are means over the routed tokens, whatever is scored") {
    if (!have_mpirun()) return;
    nlohmann::json config = small_moe();
    const auto difference = [&](const Spread& spread, const std::string& mask) {
        const std::string name = "layers.0.moe.router.weight";
        config["model"]["moe"]["balance"] = 20;
        config["model"]["moe"]["z_loss"] = 1;
        const Gradients with = gradients_of(config, spread, mask);
        config["model"]["moe"]["balance"] = config["model"]["moe"]["z_loss"] = 0;
        const Gradients without = gradients_of(config, spread, mask);
        std::vector<float> gradient = tensor_of(with.tensors, name);
        const std::vector<float> rest = tensor_of(without.tensors, name);
        const double scored = with.summary["scored"];
        for (size_t i = 0; i < gradient.size(); ++i)
            gradient[i] = static_cast<float>((double{gradient[i]} - double{rest[i]}) / scored);
        return gradient;
    };
    const std::vector<float> all = difference({1, 1, 0}, "none");
    float size = 0;
    for (const float value : all) size = std::max(size, std::fabs(value));
    REQUIRE(size > 1e-3f);
    for (const Spread& spread : {Spread{1, 1, 0}, Spread{4, 2, 1}}) {
        INFO(spread.text());
        const std::vector<float> some = difference(spread, "uneven");
        for (size_t i = 0; i < all.size(); ++i)
            REQUIRE(std::fabs(some[i] - all[i]) <= 1e-5f * size);
    }
}

TEST_CASE("scope micro_dp: equal at one number of ranks, whatever the expert groups") {
    if (!have_mpirun()) return;
    nlohmann::json config = small_moe();
    config["model"]["moe"]["scope"] = "micro_dp";
    config["model"]["moe"]["balance"] = 5;
    const Gradients data = gradients_of(config, {4, 1, 0}),
                    expert = gradients_of(config, {4, 4, 0});
    check_same(data.tensors, expert.tensors, kTolerance);
    // Two rounds of eight micro-batches: as the micro scope of micro-batches eight times as large.
    config["model"]["moe"]["scope"] = "micro";
    config["train"]["micro_batch"] = 8;
    check_same(gradients_of(config, {}).tensors, data.tensors, 4e-6);
}

TEST_CASE("I5: experts without a token, and a step without a scored one, in all layouts") {
    if (!have_mpirun()) return;
    nlohmann::json config = small_moe();
    // Zero logits everywhere: ties go to the lower index, so that experts 2 to 7 get nothing.
    config["model"]["init"]["std"] = 1e-12;
    config["model"]["moe"]["balance"] = 0;
    for (const Spread& spread : {Spread{1, 1, 0}, Spread{4, 4, 0}, Spread{4, 2, 2}}) {
        INFO(spread.text());
        const Gradients some = gradients_of(config, spread);
        const auto counts = some.summary["counts"][0].get<std::vector<int64_t>>();
        int64_t total = 0;
        for (const int64_t count : counts) total += count;
        CHECK(total == 16 * 12 * 2);
        const Gradients none = gradients_of(config, spread, "all");
        CHECK(none.summary["grad_norm"] == 0);
        CHECK(none.summary["loss"] == 0);
    }
}

TEST_CASE("I22, X: GradientReducer is exact on whole numbers in all layouts") {
    if (!have_mpirun()) return;
    for (const int ranks : {1, 2, 4}) {
        const ProgramResult run = run_ranks(ranks, POLYTRAIN_DIST_RANKS " sums");
        INFO(ranks << " ranks: " << run.err);
        CHECK(run.exit_code == 0);
    }
}

TEST_CASE("I1, X: a mixture on whole numbers gives the same bits in all layouts") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const auto run = [&](int ranks, int expert) {
        const std::filesystem::path out = folder / (std::to_string(ranks) + std::to_string(expert));
        const ProgramResult result = run_ranks(
            ranks, POLYTRAIN_DIST_RANKS " layer '" + out.string() + "' " + std::to_string(expert));
        INFO(ranks << " ranks, expert " << expert << ": " << result.err);
        REQUIRE(result.exit_code == 0);
        return Checkpoint::open(checkpoint_folder(out, 1));
    };
    const Checkpoint one = run(1, 1);
    double size = 0;
    for (const auto& [name, info] : one.tensors())
        for (const float value : tensor_of(one, name)) size += std::fabs(value);
    REQUIRE(size > 100);  // there is something to compare
    for (const auto& [ranks, expert] :
         std::vector<std::pair<int, int>>{{2, 1}, {2, 2}, {4, 1}, {4, 2}, {4, 4}}) {
        INFO(ranks << " ranks, expert " << expert);
        check_same(one, run(ranks, expert), 0);
    }
}

TEST_CASE("gradients: the whole matrix of layouts", "[slow]") {
    if (!have_mpirun()) return;
    for (nlohmann::json config : {small_moe(), full_moe()}) {
        for (const char* recompute : {"none", "activation", "block"}) {
            config["train"]["recompute"] = recompute;
            check_spreads(config, all_spreads(), "uneven", kTolerance);
            check_spreads(exact(config), all_spreads(), "none", 0, 2);
        }
    }
}

TEST_CASE("I18: recomputing gives the same bits, shared part and exchange of rows included") {
    if (!have_mpirun()) return;
    nlohmann::json config = full_moe();
    for (const Spread& spread : {Spread{1, 1, 0}, Spread{2, 2, 0}, Spread{4, 2, 2}}) {
        INFO(spread.text());
        config["train"]["recompute"] = "none";
        const Gradients kept = gradients_of(config, spread, "uneven");
        for (const char* recompute : {"activation", "block"}) {
            INFO(recompute);
            config["train"]["recompute"] = recompute;
            check_same(kept.tensors, gradients_of(config, spread, "uneven").tensors, 0);
        }
    }
}
