// The way of a trained model to a Hugging Face folder and back, by the program.

#include <nlohmann/json.hpp>
#include <set>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Two steps of a model over a tokenizer trained on its text.
struct Project {
    TempFolder folder;

    Project() {
        std::string words;
        for (int i = 0; i < 400; ++i)
            words += "the quick brown fox jumps over " + std::to_string(i) + " lazy dogs.\n";
        spit(folder / "text.txt", words);
        run("tokenizer train --vocab-size 320 --out OWN/own.json OWN/text.txt");
        run("prepare --tokenizer OWN/own.json --out OWN/tokens OWN/text.txt");
    }
    // OWN is the folder.
    std::string filled(std::string text) const {
        for (size_t at; (at = text.find("OWN")) != std::string::npos;)
            text.replace(at, 3, folder.path().string());
        return text;
    }
    ProgramResult try_run(const std::string& arguments) const {
        return run_program(filled(arguments));
    }
    std::string run(const std::string& arguments) const {
        const ProgramResult result = try_run(arguments);
        INFO(arguments << "\n" << result.err);
        REQUIRE(result.exit_code == 0);
        return result.out;
    }
    void train(const std::string& model, const std::string& out) const {
        spit(folder / "run.json", filled(R"({
            "model": {"d_model": 32, "layers": 2, "heads": 4, "kv_heads": 2, "context": 16, )" +
                                         model + R"(},
            "data": {"train": [{"path": "OWN/tokens/train.bin"}], "tokenizer": "OWN/own.json"},
            "train": {"steps": 2, "batch": 2, "checkpoint_every": 1}})"));
        run("train OWN/run.json --out OWN/" + out);
    }
    double loss(const std::string& model) const {
        const std::string out =
            run("eval OWN/" + model + " --data OWN/text.txt --json --threads 1");
        return json::parse(out)["loss"].get<double>();
    }
    json read(const std::string& name) const { return json::parse(slurp(folder / name)); }
};

}  // namespace

TEST_CASE("export and import: a Llama evaluates, samples and trains as before") {
    const Project project;
    project.train(R"("feed_forward": {"activation": "swiglu"})", "run");
    const std::string out = project.run("export OWN/run --out OWN/hub --shard-size 20kb");
    CHECK_THAT(out, ContainsSubstring("LlamaForCausalLM of ") && ContainsSubstring("step-2, "));
    CHECK(fs::exists(project.folder / "hub/model.safetensors.index.json"));
    CHECK(slurp(project.folder / "hub/tokenizer.json") == slurp(project.folder / "own.json"));
    const json tokenizer = project.read("hub/tokenizer_config.json");
    CHECK(tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast");
    CHECK(tokenizer["model_max_length"] == 16);
    const json config = project.read("hub/config.json");
    REQUIRE(config["eos_token_id"].is_number());
    CHECK(project.read("hub/generation_config.json")["eos_token_id"] == config["eos_token_id"]);
    CHECK(tokenizer["eos_token"] == "<|endoftext|>");

    CHECK_THAT(project.run("import OWN/hub --out OWN/back/"),
               ContainsSubstring("step 0, 45216 parameters"));
    CHECK(project.loss("back") == Approx(project.loss("run")).epsilon(1e-7));  // other batches
    CHECK(project.loss("run/checkpoints/step-1") != project.loss("run"));
    const std::string sample = " --prompt 'the quick' --tokens 12 --seed 3";
    CHECK(project.run("sample OWN/back" + sample) == project.run("sample OWN/run" + sample));
    CHECK(project.run("checkpoint verify OWN/back").find("whole") != std::string::npos);

    // It has nothing to train on until it is told; then its moments begin anew.
    const ProgramResult alone = project.try_run("train OWN/back/config.json --out OWN/other");
    CHECK(alone.exit_code == 78);
    CHECK_THAT(alone.err, ContainsSubstring("data.train: there is nothing to train on"));
    spit(project.folder / "more.json", project.filled(R"({
        "extends": "OWN/back/config.json",
        "data": {"train": [{"path": "OWN/tokens/train.bin"}]},
        "train": {"steps": 3, "batch": 2}, "optimizer": {"schedule": {"warmup_steps": 0}}})"));
    CHECK_THAT(project.run("train OWN/more.json --out OWN/back --resume auto"),
               ContainsSubstring("step 3, 96 tokens"));
    CHECK(project.loss("back") != project.loss("run"));

    project.run("export OWN/run --step 1 --dtype bf16 --out OWN/one");
    CHECK(project.read("one/config.json")["torch_dtype"] == "bfloat16");
    project.run("import OWN/one --out OWN/narrow --context 8");
    CHECK(project.read("narrow/config.json")["model"]["context"] == 8);
    const double exact = project.loss("run/checkpoints/step-1"), rounded = project.loss("narrow");
    CHECK(rounded == Approx(exact).epsilon(0.01));
    CHECK(rounded != exact);
}

TEST_CASE("export and import: PolyNorm has no class of transformers, and says so") {
    const Project project;
    project.train(R"("feed_forward": {"activation": "polynorm", "hidden": 48})", "run");
    const std::string out = project.run("export OWN/run --out OWN/hub");
    CHECK_THAT(out, ContainsSubstring("PolyTrainForCausalLM") &&
                        ContainsSubstring("no activation \"polynorm\""));
    const json config = project.read("hub/config.json");
    CHECK(config["model_type"] == "polytrain");
    CHECK(config["hidden_act"] == "polynorm");
    CHECK(config["polytrain"] ==
          json{{"version", 1}, {"order", 3}, {"gated", false}, {"qk_norm", "none"}});
    project.run("import OWN/hub --out OWN/back");
    CHECK(project.loss("back") == Approx(project.loss("run")).epsilon(1e-7));  // other batches
    CHECK(project.read("back/config.json")["model"]["feed_forward"]["activation"] == "polynorm");
}

TEST_CASE("import: a tokenizer that PolyTrain can't use is kept, and tokens are still evaluated") {
    const Project project;
    project.train(R"("feed_forward": {"activation": "swiglu"})", "run");
    project.run("export OWN/run --out OWN/hub");
    const std::string foreign = R"({"model": {"type": "Unigram", "vocab": [["a", -1.5]]}})";
    const bool there = GENERATE(true, false);
    fs::remove(project.folder / "hub/tokenizer.json");
    if (there) spit(project.folder / "hub/tokenizer.json", foreign);
    const ProgramResult imported = project.try_run("import OWN/hub --out OWN/back");
    CHECK(imported.exit_code == 0);
    CHECK_THAT(imported.err, ContainsSubstring("training, texts and sampling need a tokenizer"));
    std::string ids;
    for (int i = 0; i < 50; ++i) ids += {static_cast<char>(i * 5), '\0'};
    spit(project.folder / "raw.bin", ids);
    const ProgramResult evaluated =
        project.try_run("eval OWN/back --data OWN/raw.bin --format raw --json --threads 1");
    INFO(evaluated.err);
    REQUIRE(evaluated.exit_code == 0);
    CHECK_THAT(evaluated.err, ContainsSubstring("the model's tokenizer can't be used"));
    const json found = json::parse(evaluated.out);
    CHECK(found["tokens"] == 50);
    CHECK(found["loss"].get<double>() > 0);
    CHECK(found["bytes"].is_null());
    CHECK(found["bits_per_byte"].is_null());
    CHECK(project.try_run("eval OWN/back --data OWN/text.txt").exit_code != 0);
    project.run("export OWN/back --out OWN/again");
    CHECK(fs::exists(project.folder / "again/tokenizer.json") == there);
    if (there) CHECK(slurp(project.folder / "again/tokenizer.json") == foreign);
}

TEST_CASE("export and import: refusals leave nothing behind") {
    const Project project;
    project.train(R"("feed_forward": {"activation": "swiglu"})", "run");
    project.run("export OWN/run --out OWN/hub");
    const auto names = [&] {
        std::set<std::string> all;
        for (const auto& entry : fs::directory_iterator(project.folder.path()))
            all.insert(entry.path().filename());
        return all;
    };
    const auto before = names();
    const auto code = [&](const std::string& arguments) {
        const ProgramResult result = project.try_run(arguments);
        INFO(arguments << "\n" << result.err);
        CHECK(result.err.empty() == (result.exit_code == 0));
        return result.exit_code;
    };
    CHECK(code("export OWN/run --out OWN/hub") == 73);
    CHECK(code("export OWN/run --out OWN/text.txt") == 73);
    CHECK(code("export OWN/run --out OWN/text.txt/hub") == 73);
    CHECK(code("export OWN/run --step 7 --out OWN/new") == 66);
    CHECK(code("export OWN/none --out OWN/new") == 66);
    CHECK(code("export OWN/run") == 2);
    CHECK(code("export OWN/run --out OWN/new --dtype f16") == 2);
    CHECK(code("export OWN/run --out OWN/new --shard-size 0") == 2);
    CHECK(code("import OWN/hub --out OWN/run") == 73);
    CHECK(code("export OWN/run --out ''") == 2);
    CHECK(code("import OWN/hub --out ''") == 2);
    CHECK(code("import OWN/none --out OWN/new") == 66);
    CHECK(code("import OWN/hub --out OWN/new --activation polyprelu") == 2);
    CHECK(code("import OWN/hub --out OWN/new --context 17") == 2);
    CHECK(code("import OWN/hub --out OWN/new --activation polynorm") == 2);
    const json config = project.read("hub/config.json");
    const auto with = [&](const char* key, const json& value) {
        json changed = config;
        changed[key] = value;
        spit(project.folder / "hub/config.json", changed.dump());
        return code("import OWN/hub --out OWN/new");
    };
    CHECK(with("num_attention_heads", 5) == 78);
    const std::string heads = project.try_run("import OWN/hub --out OWN/new").err;
    CHECK_THAT(heads, ContainsSubstring(
                          project.filled("OWN/hub/config.json: \"num_attention_heads\", here ")));
    CHECK(with("hidden_size", int64_t{1} << 40) == 78);
    CHECK(with("num_hidden_layers", 1) == 65);
    CHECK(with("architectures", json::array({"LlamaForCausalLM"})) == 0);
    fs::remove_all(project.folder / "new");
    CHECK(names() == before);
}
