// Whole runs over ranks: the same bits in every layout with exact reduction, and resuming in
// another layout than that of the checkpoint.

#include <set>

#include "dist/runs.hpp"
#include "kernels/cpu/backend.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

nlohmann::json exact(nlohmann::json config, int steps) {
    config["parallel"]["reduction"] = "exact";
    config["train"]["steps"] = steps;
    config["train"]["eval_every"] = 5;
    config["train"]["eval_sequences"] = 7;
    return config;
}

// Trains to the end; gives the last checkpoint.
Checkpoint trained(const TempFolder& folder, const nlohmann::json& config, const Spread& spread,
                   const fs::path& out) {
    const ProgramResult run =
        train_ranks(write_config(folder, config, spread, "config"), spread, out, "--resume auto");
    INFO(spread.text() << ": " << run.err);
    REQUIRE(run.exit_code == 0);
    return Checkpoint::open(checkpoint_folder(out, config["train"]["steps"].get<int64_t>()));
}

void check_equal_runs(const nlohmann::json& config, const std::vector<Spread>& spreads) {
    const TempFolder folder;
    const Checkpoint one = trained(folder, config, {}, folder / "one");
    for (const Spread& spread : spreads) {
        INFO(spread.text());
        const fs::path out = folder / spread.text();
        const Checkpoint many = trained(folder, config, spread, out);
        check_same(one, many, 0);
        CHECK(one.state().next_sample == many.state().next_sample);
        CHECK(metrics_of(folder / "one") == metrics_of(out));
    }
}

}  // namespace

TEST_CASE("I2, I14: exact reduction, 20 steps, dense, 1, 2, 4 and 8 ranks: the same bits") {
    if (!have_mpirun()) return;
    nlohmann::json config = exact(small_dense(), 20);
    config["optimizer"]["clip"] = 0.5;  // at work in every step
    check_equal_runs(config, {{2, 1, 0}, {4, 1, 1}, {8, 1, 2}});
}

TEST_CASE("I1, I14: exact reduction, 20 steps, experts on 1, 2 and 4 ranks: the same bits") {
    if (!have_mpirun()) return;
    nlohmann::json config = exact(small_moe(), 20);
    config["model"]["moe"]["bias_rate"] = 0.001;
    check_equal_runs(config, {{4, 1, 2}, {4, 2, 1}, {4, 4, 0}});
    if (!cpu_has_bf16()) return;
    config["precision"] = "bf16";
    config["train"]["steps"] = 5;
    check_equal_runs(config, {{4, 2, 1}, {2, 2, 2}});
}

TEST_CASE("I4: uneven masks in whole runs change nothing over ranks") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    nlohmann::json config = exact(small_moe(), 3);
    // Every other sequence is one token again and again, which the filter leaves out of the loss.
    constexpr size_t kContext = 40;
    std::string tokens;
    for (size_t i = 0; i < 60 * kContext; ++i) {
        const bool repeats = i / kContext % 2 == 0;
        tokens += static_cast<char>(repeats ? 7 : (i * i + 3 * i) % 61);
        tokens += '\0';
    }
    std::ofstream(folder / "tokens.bin") << tokens;
    config["model"]["context"] = kContext;
    config["model"]["vocab_size"] = 256;
    config["train"].erase("eval_every");
    config["data"] = {{"train", {{{"path", folder / "tokens.bin"}, {"format", "raw"}}}},
                      {"tokenizer", "bytes"},
                      {"repetition_filter", true}};
    const fs::path one = folder / "one";
    const Checkpoint alone = trained(folder, config, {}, one);
    int64_t filtered = 0;
    for (const nlohmann::json& line : metrics_of(one))
        filtered += line["filtered_sequences"].get<int64_t>();
    CHECK(filtered > 5);
    for (const Spread& spread : {Spread{2, 2, 0}, Spread{4, 2, 1}}) {
        INFO(spread.text());
        check_same(alone, trained(folder, config, spread, folder / spread.text()), 0);
        CHECK(metrics_of(one) == metrics_of(folder / spread.text()));
    }
}

TEST_CASE("I15, I16: initial weights don't depend on the layout, and no two experts are equal") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    nlohmann::json config = small_moe();
    config["train"]["steps"] = 1;
    config["optimizer"]["lr"] = 0;
    const Checkpoint one = trained(folder, config, {}, folder / "one");
    for (const Spread& spread : {Spread{2, 2, 0}, Spread{4, 4, 1}}) {
        INFO(spread.text());
        const Checkpoint many = trained(folder, config, spread, folder / spread.text());
        for (const auto& [name, info] : one.tensors())
            if (!name.ends_with(".m") && !name.ends_with(".v")) {
                INFO(name);
                CHECK(tensor_of(one, name) == tensor_of(many, name));
            }
    }
    const std::vector<float> all = tensor_of(one, "layers.0.moe.experts.down");
    std::set<std::vector<float>> experts;
    const auto size = static_cast<std::ptrdiff_t>(all.size() / 8);
    for (auto at = all.begin(); at != all.end(); at += size) experts.emplace(at, at + size);
    CHECK(experts.size() == 8);
}

TEST_CASE("I18: recomputation changes no bit over ranks") {
    if (!have_mpirun()) return;
    nlohmann::json config = small_moe();
    config["model"]["moe"]["bias_rate"] = 0.001;
    const TempFolder folder;
    const Spread spread{2, 2, 2};
    const Checkpoint none = trained(folder, config, spread, folder / "none");
    for (const char* recompute : {"activation", "block"}) {
        INFO(recompute);
        config["train"]["recompute"] = recompute;
        check_same(none, trained(folder, config, spread, folder / recompute), 0);
    }
}

TEST_CASE("I20: a checkpoint of one layout is read whole into any other") {
    if (!have_mpirun()) return;
    const std::string precision = GENERATE("f32", "bf16");
    if (precision == "bf16" && !cpu_has_bf16()) return;
    const TempFolder folder;
    nlohmann::json config = exact(small_moe(), 3);
    config["precision"] = precision;
    config["model"]["moe"]["coefficients"] = "expert";
    const Checkpoint saved = trained(folder, config, {4, 4, 1}, folder / "saved");
    CHECK(tensor_of(saved, "layers.1.moe.experts.up.m") != std::vector<float>(8 * 24 * 32));
    for (const Spread& spread : {Spread{2, 1, 0}, Spread{1, 1, 2}, Spread{4, 2, 2}}) {
        INFO(spread.text());
        const fs::path to = folder / spread.text();
        const ProgramResult run = run_ranks(
            spread.ranks, POLYTRAIN_DIST_RANKS " resave '" +
                              write_config(folder, config, spread, "other").string() + "' '" +
                              (folder / "saved").string() + "' '" + to.string() + "'");
        INFO(run.err);
        REQUIRE(run.exit_code == 0);
        check_same(saved, Checkpoint::open(checkpoint_folder(to, 3)), 0);
    }
}

TEST_CASE("resume over ranks is bit-exact, and in another layout goes on as the run would have") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    for (const char* reduction : {"deterministic", "exact"}) {
        INFO(reduction);
        nlohmann::json config = small_moe();
        config["parallel"]["reduction"] = reduction;
        config["train"]["steps"] = 6;
        config["train"]["checkpoint_every"] = 3;
        config["train"]["eval_every"] = 3;
        config["train"]["eval_sequences"] = 5;
        config["optimizer"]["schedule"] = {{"steps", 6}};
        const auto run = [&](const Spread& spread, int steps, const std::string& name,
                             const std::string& from = "") {
            const fs::path out = folder / (reduction + name);
            if (!from.empty())
                fs::copy(folder / (reduction + from), out, fs::copy_options::recursive);
            config["train"]["steps"] = steps;
            trained(folder, config, spread, out);
            return out;
        };
        const auto last = [](const fs::path& out) {
            return Checkpoint::open(checkpoint_folder(out, 6));
        };
        for (const Spread& spread : {Spread{1, 1, 0}, Spread{4, 4, 1}}) {
            INFO(spread.text());
            const fs::path whole = run(spread, 6, "whole" + spread.text());
            run(spread, 3, "half" + spread.text());
            const fs::path halves =
                run(spread, 6, "halves" + spread.text(), "half" + spread.text());
            check_same(last(whole), last(halves), 0);
            CHECK(metrics_of(whole) == metrics_of(halves));
            CHECK(last(halves).state().next_sample == 6 * 16);
        }
        const Spread saved{4, 4, 1};
        const auto expected = metrics_of(folder / (reduction + ("whole" + saved.text())));
        for (const Spread& spread : {Spread{2, 1, 0}, Spread{1, 1, 0}}) {
            INFO(spread.text());
            const fs::path out = run(spread, 6, "other" + spread.text(), "half" + saved.text());
            const auto actual = metrics_of(out);
            REQUIRE(actual.size() == 6);
            for (size_t i = 3; i < 6; ++i) {
                const double a = expected[i]["loss"], b = actual[i]["loss"];
                CHECK(std::fabs(a - b) <= (std::string(reduction) == "exact" ? 0 : 1e-5));
            }
        }
    }
}
