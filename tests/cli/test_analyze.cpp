// `polytrain analyze`, and what the report makes of it.

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct Trained {
    TempFolder folder;
    fs::path run = folder / "run";

    explicit Trained(const std::string& model) {
        spit(folder / "run.json", R"({
            "seed": 5, "threads": 1, "data": {"synthetic": true},
            "model": {"d_model": 8, "layers": 3, "heads": 2, "context": 8, "vocab_size": 13, )" +
                                      model + R"(},
            "train": {"steps": 4, "batch": 2, "eval_sequences": 2, "checkpoint_every": 1,
                      "eval_every": 2}})");
        REQUIRE(run_program("train " + (folder / "run.json").string() + " --out " + run.string())
                    .exit_code == 0);
    }
    json analyze(const std::string& kind, const std::string& more = "") const {
        const std::string command = "analyze " + kind + " " + run.string() + " ";
        const ProgramResult table = run_program(command + more);
        INFO(table.err);
        REQUIRE(table.exit_code == 0);
        CHECK(table.out.size() > 50);
        const ProgramResult result = run_program(command + more + " --json");
        REQUIRE(result.exit_code == 0);
        json found = json::parse(result.out);
        REQUIRE(found.size() == 1);
        CHECK(found[0]["run"] == run.string());
        found[0].erase("run");
        CHECK(json::parse(slurp(run / "analysis" / (kind + ".json"))) == found[0]);
        return found[0];
    }
};

// Weights so large that what goes into PolyNorm is beyond its eps.
constexpr const char* kPolyNorm = R"("feed_forward": {"hidden": 12}, "init": {"std": 0.2})";

}  // namespace

TEST_CASE("analyze: rank, similarity, coefficients and activations of a dense model") {
    const Trained trained(kPolyNorm);
    const json rank = trained.analyze("rank");
    CHECK(rank["step"] == 4);
    REQUIRE(rank["layers"].size() == 3);
    CHECK(rank["full_rank"] == json{{"up", 8}, {"down", 8}});
    for (const json& layer : rank["layers"])
        for (const char* kind : {"up", "down"}) {  // random matrices, so near their full rank
            CHECK(layer[kind].get<double>() > 4);
            CHECK(layer[kind].get<double>() <= 8);
        }
    CHECK(trained.analyze("rank", "--step 1")["step"] == 1);
    CHECK(run_program("analyze rank " + (trained.run / "checkpoints/step-1").string()).exit_code ==
          2);

    const json similarity = trained.analyze("similarity", "--sequences 2");
    CHECK(similarity["tokens"] == 16);
    REQUIRE(similarity["cosine"].size() == 4);
    for (size_t i = 0; i < 4; ++i) {
        CHECK(similarity["cosine"][i][i].get<double>() == Approx(1));
        for (size_t j = 0; j < 4; ++j)
            CHECK(std::abs(similarity["cosine"][i][j].get<double>()) < 1 + 1e-9);
    }
    CHECK(similarity["cosine"][0][1].get<double>() > 0);  // a layer adds to what it gets

    const json coefficients = trained.analyze("coefficients");
    REQUIRE(coefficients["steps"].size() == 4);
    for (size_t i = 0; i < 4; ++i) {
        const json& step = coefficients["steps"][i];
        CHECK(step["step"] == i + 1);
        REQUIRE(step["coefficients"].size() == 3);
        const json& a = step["coefficients"]["layers.2.feed_forward.coefficients"];
        REQUIRE(a.size() == 4);
        CHECK(a[1].get<double>() == Approx(1.0 / 3).margin(0.05));
        CHECK(a[1].get<double>() != 1.0 / 3);
    }

    const json activations = trained.analyze("activations", "--sequences 3");
    CHECK(activations["tokens"] == 24);
    REQUIRE(activations["layers"].size() == 3);
    for (const json& layer : activations["layers"])
        for (const char* side : {"input", "output"}) {
            const json& values = layer[side];
            CHECK(values["std"].get<double>() > 0);
            CHECK(values["zeros"] == 0);
            CHECK(values["quantiles"].front() >= values["min"]);
            CHECK(values["quantiles"].back() <= values["max"]);
        }
    // N(x) + N(x^2) + N(x^3) over 3, whatever the size of x: its mean square is near 0.7^2.
    const json& output = activations["layers"][0]["output"];
    CHECK(std::hypot(output["mean"].get<double>(), output["std"].get<double>()) ==
          Approx(0.71).margin(0.15));

    // The report shows them, and refuses what is none.
    const std::string page = (trained.folder / "page.html").string();
    const std::string report = "report " + trained.run.string() + " --out " + page;
    REQUIRE(run_program(report).exit_code == 0);
    for (const char* text : {"Analyses", "Effective rank of down", "a3 over training",
                             "Share of zeros", "Similarity of hidden states", "3, 3: 1.0000"})
        CHECK_THAT(slurp(page), ContainsSubstring(text));
    spit(trained.run / "analysis/similarity.json", R"({"cosine": [[1, 0], [1]]})");
    const ProgramResult refused = run_program(report);
    CHECK(refused.exit_code == 65);
    CHECK_THAT(refused.err, ContainsSubstring("analysis/similarity.json"));
}

TEST_CASE("analyze: relu gives zeros, a gate is what goes in, experts are counted together") {
    const Trained relu(R"("feed_forward": {"activation": "relu", "hidden": 12})");
    const json plain = relu.analyze("activations");
    for (const json& layer : plain["layers"]) {
        CHECK(layer["input"]["zeros"] == 0);
        CHECK(layer["output"]["zeros"].get<double>() == Approx(0.5).margin(0.3));
        CHECK(layer["output"]["min"] == 0);
        CHECK(layer["output"]["max"] == std::max(0.0, layer["input"]["max"].get<double>()));
    }
    const std::string none = "analyze coefficients " + relu.run.string();
    CHECK(run_program(none).exit_code == 66);

    const Trained mixture(R"("feed_forward": {"activation": "swiglu"},
        "moe": {"experts": 3, "top_k": 2, "hidden": 4, "shared_hidden": 4})");
    CHECK(mixture.analyze("rank")["full_rank"] == json{{"gate", 4},
                                                       {"up", 4},
                                                       {"down", 4},
                                                       {"shared_gate", 4},
                                                       {"shared_up", 4},
                                                       {"shared_down", 4}});
    CHECK(mixture.analyze("activations")["layers"].size() == 3);
    CHECK(mixture.analyze("similarity")["cosine"].size() == 4);
}

TEST_CASE("analyze: what is missing") {
    const TempFolder folder;
    const std::string none = (folder / "none").string();
    CHECK(run_program("analyze").exit_code == 2);
    CHECK(run_program("analyze rank").exit_code == 2);
    CHECK(run_program("analyze rank " + none).exit_code == 66);
    CHECK(run_program("analyze coefficients " + none).exit_code == 66);
    CHECK_FALSE(fs::exists(none));
}

TEST_CASE("bench: each activation in a feed-forward part, with its time, memory and FLOPs") {
    const std::string command =
        "bench activation --device cpu --threads 1 --width 16 --hidden 24 --tokens 8 --seconds 0";
    const ProgramResult result = run_program(command + " --json");
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const json found = json::parse(result.out);
    CHECK(found["tokens"] == 8);
    std::map<std::string, json> rows;
    for (const json& row : found["activations"]) {
        rows[row["activation"].get<std::string>()] = row;
        CHECK(row["forward_flops_per_token"] == 2 * 2 * 16 * 24);  // all alike, by their widths
        CHECK(row["backward_flops_per_token"] == 4 * 2 * 16 * 24);
        for (const char* key :
             {"forward_ms", "backward_ms", "activation_forward_ms", "activation_backward_ms"})
            CHECK(row[key].get<double>() > 0);
    }
    for (const char* name : {"relu", "gelu", "polyrelu", "polynorm", "swiglu"})
        CHECK(rows.count(name) == 1);
    // In f32: the input, what the activation gets and gives, and polynorm's statistics.
    CHECK(rows["relu"]["saved_bytes_per_token"] == 4 * (16 + 24 + 24));
    CHECK(rows["polynorm"]["saved_bytes_per_token"] == 4 * (16 + 24 + 24 + 3));
    CHECK(rows["swiglu"]["saved_bytes_per_token"] == 4 * (16 + 2 * 16 + 16));
    CHECK(rows["swiglu"]["hidden"] == 16);
    CHECK_THAT(run_program(command).out, ContainsSubstring("polynorm"));
    CHECK(run_program("bench").exit_code == 2);
    CHECK(run_program("bench activation --width 0").exit_code == 2);
}
