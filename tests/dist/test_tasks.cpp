// Tasks over ranks: each question goes to one of them, and the results are the same however many
// there are.

#include "dist/runs.hpp"
#include "support/damage.hpp"
#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// Questions, and tokens to train on for a few steps.
struct Asked {
    TempFolder folder;

    Asked() {
        Random random("asked");
        const auto word = [&](int64_t most) {
            std::string letters;
            for (int64_t i = random.integer(1, most); i > 0; --i)
                letters += static_cast<char>(random.integer('a', 'h'));
            return letters;
        };
        std::string tokens, questions;
        for (int i = 0; i < 5000; ++i) tokens += {word(1)[0], '\0'};
        spit(folder / "tokens.bin", tokens);
        for (int i = 0; i < 37; ++i) {
            nlohmann::json line{{"query", word(20)}, {"gold", random.integer(0, 1)}};
            for (int64_t k = random.integer(2, 4); k > 0; --k) line["choices"].push_back(word(6));
            questions += line.dump() + "\n";
        }
        spit(folder / "toy.jsonl", questions);
    }
    nlohmann::json asking(nlohmann::json config) const {
        config["model"]["vocab_size"] = 256;
        config["data"] = {{"train", {{{"path", folder / "tokens.bin"}, {"format", "raw"}}}},
                          {"tokenizer", "bytes"}};
        config["train"]["eval_every"] = 2;
        config["parallel"]["reduction"] = "exact";
        config["eval"] = {{"tasks", {{{"path", folder / "toy.jsonl"}}}}, {"batch_tokens", 50}};
        return config;
    }
    std::vector<nlohmann::json> metrics_over(const nlohmann::json& config,
                                             const Spread& spread) const {
        const fs::path out = folder / spread.text();
        const ProgramResult run =
            train_ranks(write_config(folder, config, spread, "config"), spread, out);
        INFO(spread.text() << ": " << run.err);
        REQUIRE(run.exit_code == 0);
        return metrics_of(out);
    }
};

}  // namespace

TEST_CASE_METHOD(Asked, "tasks: in training and after it, dense, 1 to 4 ranks: the same bits") {
    if (!have_mpirun()) return;
    const nlohmann::json config = asking(small_dense());
    const auto one = metrics_over(config, {});
    REQUIRE(one.at(3).contains("tasks"));
    CHECK(one[3]["tasks"]["toy"]["questions"] == 37);
    for (const Spread& spread : {Spread{2, 1, 0}, Spread{4, 1, 2}})
        CHECK(metrics_over(config, spread) == one);

    const auto evaluated = [&](int ranks, const std::string& more) {
        const std::string name = (folder / fmt::format("{}-ranks", ranks)).string();
        const ProgramResult run =
            run_ranks(ranks, POLYTRAIN_PROGRAM " eval '" + (folder / Spread{}.text()).string() +
                                 "' --tasks '" + (folder / "toy.jsonl").string() + "' --out '" +
                                 name + ".json' --details '" + name + ".jsonl' " + more);
        INFO(run.err);
        REQUIRE(run.exit_code == 0);
        return std::pair(nlohmann::json::parse(slurp(name + ".json")), slurp(name + ".jsonl"));
    };
    const auto alone = evaluated(1, "--batch-tokens 50");
    CHECK(alone.first["tasks"] == one[3]["tasks"]);
    for (const int ranks : {2, 3}) CHECK(evaluated(ranks, "--batch-tokens 50") == alone);
    // Passes of other sizes: other sums, but close.
    const auto other = evaluated(2, "--batch-tokens 333");
    std::istringstream lines(alone.second), others(other.second);
    int64_t count = 0;
    for (std::string line, twin; std::getline(lines, line) && std::getline(others, twin);) {
        const auto a = nlohmann::json::parse(line), b = nlohmann::json::parse(twin);
        CHECK(a["id"] == b["id"]);
        REQUIRE(a["log_likelihoods"].size() == b["log_likelihoods"].size());
        for (size_t i = 0; i < a["log_likelihoods"].size(); ++i, ++count) {
            const double value = a["log_likelihoods"][i];
            CHECK(b["log_likelihoods"][i].get<double>() ==
                  Approx(value).epsilon(1e-5).margin(1e-5));
        }
    }
    CHECK(count >= 74);
}

TEST_CASE_METHOD(Asked, "tasks: in training, experts on 1, 2 and 4 ranks: the same bits") {
    if (!have_mpirun()) return;
    const nlohmann::json config = asking(small_moe());
    const auto one = metrics_over(config, {});
    REQUIRE(one.at(3).contains("tasks"));
    for (const Spread& spread : {Spread{2, 2, 1}, Spread{4, 2, 2}})
        CHECK(metrics_over(config, spread) == one);
}

TEST_CASE_METHOD(Asked, "tasks: named sets of text are shared out too") {
    if (!have_mpirun()) return;
    metrics_over(asking(small_dense()), {});
    for (const char* name : {"a.txt", "b.txt", "c.txt"})
        spit(folder / name, std::string("abc abd ") + name);
    const auto evaluated = [&](int ranks) {
        const ProgramResult run =
            run_ranks(ranks, POLYTRAIN_PROGRAM " eval '" + (folder / Spread{}.text()).string() +
                                 "' --json --data z='" + (folder / "a.txt").string() + "','" +
                                 (folder / "b.txt").string() + "' --data y='" +
                                 (folder / "c.txt").string() + "'");
        INFO(run.err);
        REQUIRE(run.exit_code == 0);
        return nlohmann::ordered_json::parse(run.out);
    };
    const auto alone = evaluated(1);
    REQUIRE(alone["data"].size() == 3);
    CHECK(alone["data"].begin().key() == "z");
    CHECK(alone["data"]["y"]["scored"] == 12);
    CHECK(evaluated(2) == alone);
}
