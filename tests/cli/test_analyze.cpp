// `polytrain analyze`, and what the report makes of it.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
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

struct Matrix {
    std::vector<int64_t> shape;
    std::vector<float> values;
};

// `value` at [i + shift, i] for the first `rank` columns i: of that effective rank.
Matrix diagonal(int64_t rows, int64_t columns, int64_t rank, float value = 1, int64_t shift = 0) {
    Matrix matrix{{rows, columns}, std::vector<float>(static_cast<size_t>(rows * columns))};
    for (int64_t i = 0; i < rank; ++i)
        matrix.values[static_cast<size_t>((i + shift) * columns + i)] = value;
    return matrix;
}

Matrix ones(int64_t size) {
    return {{size}, std::vector<float>(static_cast<size_t>(size), 1)};
}

// A model whose every weight is given, imported. Width 8; token v is the v-th unit vector;
// attention adds nothing.
struct Imported {
    TempFolder folder;
    fs::path run = folder / "run";
    std::map<std::string, Matrix> tensors{{"model.embed_tokens.weight", diagonal(8, 8, 8)},
                                          {"model.norm.weight", ones(8)}};

    std::string at(int layer, const std::string& rest) const {
        return "model.layers." + std::to_string(layer) + "." + rest;
    }
    // Projections of hidden width 6.
    void add_network(const std::string& at, const Matrix& gate, const Matrix& up,
                     const Matrix& down) {
        tensors[at + "gate_proj.weight"] = gate;
        tensors[at + "up_proj.weight"] = up;
        tensors[at + "down_proj.weight"] = down;
    }
    void import(int layers, json more) {
        for (int layer = 0; layer < layers; ++layer) {
            for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
                tensors[at(layer, norm) + ".weight"] = ones(8);
            for (const char* part : {"q", "k", "v", "o"})
                tensors[at(layer, "self_attn.") + part + "_proj.weight"] = diagonal(8, 8, 0);
        }
        more.update({{"hidden_size", 8},
                     {"intermediate_size", 6},
                     {"num_hidden_layers", layers},
                     {"num_attention_heads", 2},
                     {"max_position_embeddings", 8},
                     {"vocab_size", 8},
                     {"tie_word_embeddings", true}});
        fs::create_directories(folder / "hub");
        spit(folder / "hub/config.json", more.dump());
        json header = json::object();
        std::string data;
        for (const auto& [name, tensor] : tensors) {
            const size_t begin = data.size(), bytes = tensor.values.size() * sizeof(float);
            data.append(reinterpret_cast<const char*>(tensor.values.data()), bytes);
            header[name] = {{"dtype", "F32"},
                            {"shape", tensor.shape},
                            {"data_offsets", {begin, begin + bytes}}};
        }
        const std::string text = header.dump();
        const uint64_t size = text.size();
        std::string length(8, '\0');
        std::memcpy(length.data(), &size, 8);
        spit(folder / "hub/model.safetensors", length + text + data);
        // Each token once, as nanoGPT has them.
        std::string ids;
        for (const int id : {0, 1, 2, 3, 4, 5, 6, 7, 0}) ids += {static_cast<char>(id), '\0'};
        spit(folder / "ids.bin", ids);
        const ProgramResult result =
            run_program("import " + (folder / "hub").string() + " --out " + run.string());
        INFO(result.err);
        REQUIRE(result.exit_code == 0);
    }
    ProgramResult try_analyze(const std::string& kind) const {
        const bool reads = kind == "similarity" || kind == "activations";
        return run_program(
            "analyze " + kind + " --json " + run.string() +
            (reads ? " --format raw --dtype uint16 --data " + (folder / "ids.bin").string() : ""));
    }
    json analyze(const std::string& kind) const {
        const ProgramResult result = try_analyze(kind);
        INFO(result.err);
        REQUIRE(result.exit_code == 0);
        return json::parse(result.out)[0];
    }
};

// A Llama of two layers. Of layer 0: tokens 0 to 3 pass the gate and up, of which 0 to 2 come down
// again, as unit vectors 2 to 4. Layer 1 adds next to nothing.
struct ImportedLlama : Imported {
    void import() {
        add_network(at(0, "mlp."), diagonal(6, 8, 4), diagonal(6, 8, 5, 10),
                    diagonal(8, 6, 3, 1, 2));
        add_network(at(1, "mlp."), diagonal(6, 8, 2), diagonal(6, 8, 6, 7),
                    diagonal(8, 6, 1, 1e-6F, 2));
        Imported::import(2, {{"model_type", "llama"}});
    }
};

// A norm makes a unit vector of width 8 that long.
const double kLength = std::sqrt(8.0);

double silu(double x) {
    return x / (1 + std::exp(-x));
}

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

    // A checkpoint that is damaged is told and passed over; a line of metrics.jsonl is an error.
    for (const auto& entry : fs::directory_iterator(trained.run / "checkpoints/step-1"))
        if (entry.path().extension() == ".safetensors") spit(entry.path(), "damaged");
    const std::string again = "analyze coefficients --json " + trained.run.string();
    const ProgramResult rest = run_program(again);
    REQUIRE(rest.exit_code == 0);
    CHECK_THAT(rest.err, ContainsSubstring("step 1 is passed over"));
    CHECK(json::parse(rest.out)[0]["steps"].size() == 3);
    const std::string metrics = slurp(trained.run / "metrics.jsonl");
    spit(trained.run / "metrics.jsonl", metrics + "{\"step\": 5\n");
    const ProgramResult malformed = run_program(again);
    CHECK(malformed.exit_code == 65);
    CHECK_THAT(malformed.err, ContainsSubstring("metrics.jsonl:5: "));
    spit(trained.run / "metrics.jsonl", metrics);

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

TEST_CASE("analyze: known ranks, gate and states of a Llama, of a run that was never trained") {
    ImportedLlama llama;
    llama.import();
    const json rank = llama.analyze("rank");
    CHECK(rank["full_rank"] == json{{"gate", 6}, {"up", 6}, {"down", 6}});
    REQUIRE(rank["layers"].size() == 2);
    const auto check_ranks = [&](size_t layer, double gate, double up, double down) {
        CHECK(rank["layers"][layer]["layer"] == layer);
        CHECK(rank["layers"][layer]["gate"].get<double>() == Approx(gate));
        CHECK(rank["layers"][layer]["up"].get<double>() == Approx(up));
        CHECK(rank["layers"][layer]["down"].get<double>() == Approx(down));
    };
    check_ranks(0, 4, 5, 3);
    check_ranks(1, 2, 6, 1);

    // Of layer 0's 8 x 6 numbers, 4 of the gate are not 0; up is ten times as large.
    const json first = llama.analyze("activations")["layers"][0];
    const double out = silu(kLength) * 10 * kLength;
    for (const auto& [side, value] : {std::pair{"input", kLength}, {"output", out}}) {
        INFO(side);
        CHECK(first[side]["max"].get<double>() == Approx(value).epsilon(1e-4));
        CHECK(first[side]["mean"].get<double>() == Approx(4 * value / 48).epsilon(1e-4));
        CHECK(first[side]["zeros"].get<double>() == Approx(44.0 / 48));
        CHECK(first[side]["not_finite"] == 0);
    }

    // Layer 0 turns three tokens of eight, layer 1 none.
    const json cosine = llama.analyze("similarity")["cosine"];
    REQUIRE(cosine.size() == 3);
    const double turned = (5 + 3 / std::hypot(1, out)) / 8;
    CHECK(cosine[0][1].get<double>() == Approx(turned).epsilon(1e-4));
    CHECK(cosine[1][0] == cosine[0][1]);
    CHECK(cosine[0][2].get<double>() == Approx(turned).epsilon(1e-4));
    CHECK(cosine[1][2].get<double>() == Approx(1).epsilon(1e-4));

    const std::string page = (llama.folder / "page.html").string();
    const ProgramResult report = run_program("report " + llama.run.string() + " --out " + page);
    INFO(report.err);
    REQUIRE(report.exit_code == 0);
    CHECK_THAT(slurp(page), ContainsSubstring("run, step 0</") &&
                                ContainsSubstring("run, step 0, " + llama.folder.path().string()));
    // Options of a file want one.
    CHECK(run_program("analyze similarity --format raw " + llama.run.string()).exit_code == 2);
}

TEST_CASE("analyze: experts' ranks are their mean, and their activations counted together") {
    Imported olmoe;
    for (int layer = 0; layer < 2; ++layer) {
        const auto add_expert = [&](int expert, int64_t rank, float gate) {
            olmoe.add_network(olmoe.at(layer, "mlp.experts.") + std::to_string(expert) + ".",
                              diagonal(6, 8, 4, gate), diagonal(6, 8, rank + layer),
                              diagonal(8, 6, rank - 1 + layer));
        };
        add_expert(0, 2, 1);
        add_expert(1, 5, 3);
        olmoe.tensors[olmoe.at(layer, "mlp.gate.weight")] = diagonal(2, 8, 0);
        olmoe.tensors[olmoe.at(layer, "self_attn.q_norm.weight")] = ones(8);
        olmoe.tensors[olmoe.at(layer, "self_attn.k_norm.weight")] = ones(8);
    }
    olmoe.import(2, {{"model_type", "olmoe"}, {"num_experts", 2}, {"num_experts_per_tok", 2}});
    const json rank = olmoe.analyze("rank");
    for (size_t layer = 0; layer < 2; ++layer) {
        const json& row = rank["layers"][layer];
        CHECK(row["gate"].get<double>() == Approx(4));
        CHECK(row["up"].get<double>() == Approx(3.5 + static_cast<double>(layer)));
        CHECK(row["down"].get<double>() == Approx(2.5 + static_cast<double>(layer)));
    }
    // Both experts get every token; what goes into the second is three times as large.
    const json input = olmoe.analyze("activations")["layers"][0]["input"];
    CHECK(input["max"].get<double>() == Approx(3 * kLength).epsilon(1e-4));
    CHECK(input["mean"].get<double>() == Approx(4 * (1 + 3) * kLength / 96).epsilon(1e-4));
    CHECK(input["zeros"].get<double>() == Approx(88.0 / 96));
}

TEST_CASE("analyze: weights that are not finite are named, counted, and no numbers of a report") {
    ImportedLlama llama;
    llama.import();
    Matrix& up = llama.tensors[llama.at(1, "mlp.up_proj.weight")];
    up.values[0] = std::numeric_limits<float>::quiet_NaN();
    fs::remove_all(llama.run);
    llama.Imported::import(2, {{"model_type", "llama"}});
    const ProgramResult rank = llama.try_analyze("rank");
    CHECK(rank.exit_code == 76);
    CHECK_THAT(rank.err, ContainsSubstring("model.layers.1.mlp.up_proj.weight"));
    const json layers = llama.analyze("activations")["layers"];
    CHECK(layers[0]["output"]["not_finite"] == 0);
    CHECK(layers[1]["input"]["not_finite"] == 0);
    CHECK(layers[1]["output"]["not_finite"] == 8);  // one of each token
    CHECK(layers[1]["output"]["max"].is_number());
    const json cosine = llama.analyze("similarity")["cosine"];
    CHECK(cosine[0][1].is_number());
    CHECK(cosine[0][2].is_null());
    const std::string page = (llama.folder / "page.html").string();
    REQUIRE(run_program("report " + llama.run.string() + " --out " + page).exit_code == 0);
    for (const char* none : {",nan", ": nan"}) CHECK(slurp(page).find(none) == std::string::npos);
}

TEST_CASE("analyze: relu gives zeros, of which there are coefficients of none") {
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
        CHECK(row["parameters"] == 2 * 16 * 24);
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
