#include <fstream>
#include <nlohmann/json.hpp>

#include "core/utf8.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::string quoted(const std::filesystem::path& path) {
    return "'" + path.string() + "'";
}

constexpr const char* kConfig = R"({
    "model": {"d_model": 32, "layers": 1, "heads": 2, "context": 16},
    "data": {"train": [{"path": "TOKENS/train.bin"}],
             "validation": {"held_out": "TOKENS/validation.bin"}},
    "train": {"steps": 4, "batch": 4, "micro_batch": 2, "eval_sequences": 6}
})";

// A prepared text and a config that trains on it.
struct Project {
    TempFolder folder;
    std::filesystem::path config = folder / "run.json";

    Project() {
        std::string text;
        for (int i = 0; i < 300; ++i)
            text += "the quick brown fox jumps over " + std::to_string(i) + " lazy dogs.\n";
        write(folder / "text.txt", text);
        std::string json = kConfig;
        for (size_t at; (at = json.find("TOKENS")) != std::string::npos;)
            json.replace(at, 6, (folder / "tokens").string());
        write(config, json);
    }
    ProgramResult prepare() const {
        return run_program("prepare --out " + quoted(folder / "tokens") + " " +
                           quoted(folder / "text.txt"));
    }
};

}  // namespace

TEST_CASE("program: prepare, plan, train, resume, sample") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);

    const ProgramResult plan = run_program("plan --json " + quoted(project.config));
    REQUIRE(plan.exit_code == 0);
    const auto json = nlohmann::json::parse(plan.out);
    // Embedding and head 2 * 256 * 32, attention 4 * 32^2, feed-forward 2 * 32 * 128, 3 gains.
    CHECK(json["parameters"] == 2 * 256 * 32 + 4 * 32 * 32 + 2 * 32 * 128 + 3 * 32);
    CHECK(json["coefficients"] == 4);
    int64_t parameter_bytes = 0;
    for (const auto& tensor : json["tensors"])
        if (tensor["life"] == "parameter") parameter_bytes += tensor["bytes"].get<int64_t>();
    CHECK(parameter_bytes ==
          4 * (json["parameters"].get<int64_t>() + json["coefficients"].get<int64_t>()));

    const std::string run = quoted(project.folder / "run");
    const ProgramResult trained = run_program("train " + quoted(project.config) + " --out " + run);
    INFO(trained.err);
    REQUIRE(trained.exit_code == 0);
    CHECK_THAT(trained.err, ContainsSubstring("step 4/4"));
    CHECK_THAT(trained.out, ContainsSubstring("step 4, 256 tokens"));
    CHECK_THAT(trained.err, ContainsSubstring("left 0s"));

    // The share of the peak is of the numbers that are told.
    const auto told = [&](const std::string& before) {
        const size_t at = trained.err.find(before);
        REQUIRE(at != std::string::npos);
        return std::stod(trained.err.substr(at + before.size()));
    };
    const double flops = told("activation coefficients, ");
    const double peak = told("matrix products reach ");
    CHECK(flops == Approx(json["flops_per_token"].get<double>()).epsilon(0.01));
    std::ifstream metrics(project.folder.path() / "run/metrics.jsonl");
    std::string line;
    REQUIRE(std::getline(metrics, line));
    const auto first = nlohmann::json::parse(line);
    CHECK(first["mfu"].get<double>() ==
          Approx(flops * first["tokens_per_s"].get<double>() / peak).epsilon(0.02));

    CHECK(run_program("train " + quoted(project.config) + " --out " + run).exit_code == 73);
    const ProgramResult resumed = run_program("train " + quoted(project.config) + " --out " + run +
                                              " --resume auto --set train.steps=6");
    CHECK(resumed.exit_code == 0);
    CHECK_THAT(resumed.err, ContainsSubstring("train.steps: 4 -> 6"));
    CHECK_THAT(resumed.out, ContainsSubstring("step 6, 384 tokens"));

    const std::string sample = "sample " + run + " --prompt 'the ' --tokens 20 ";
    const ProgramResult drawn = run_program(sample + "--seed 3");
    CHECK(drawn.exit_code == 0);
    CHECK(drawn.out.starts_with("the "));
    // Bytes that make no character are written as one.
    CHECK(polytrain::valid_utf8_prefix(drawn.out) == drawn.out.size());
    CHECK(drawn.out == run_program(sample + "--seed 3").out);
    CHECK(drawn.out != run_program(sample + "--seed 4").out);
    const std::string likeliest = run_program(sample + "--temperature 0").out;
    CHECK(likeliest == run_program(sample + "--seed 5 --top-k 1").out);
    CHECK(likeliest == run_program(sample + "--seed 6 --top-p 0").out);
    CHECK(run_program(sample + "--top-p 1.5").exit_code == 2);
    CHECK(run_program(sample + "--top-k -1").exit_code == 2);
}

TEST_CASE("program: eval of a run, and of a checkpoint, over text and tokens") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);
    const std::filesystem::path run = project.folder / "run";
    REQUIRE(run_program("train " + quoted(project.config) + " --out " + quoted(run) +
                        " --set train.eval_sequences=0")
                .exit_code == 0);
    const auto eval = [&](const std::filesystem::path& model, const std::string& arguments) {
        return run_program("eval " + quoted(model) + " --data " + arguments);
    };
    const std::string held_out = quoted(project.folder.path() / "tokens/validation.bin");
    const auto json = nlohmann::json::parse(eval(run, held_out + " --json").out);
    CHECK(json["step"] == 4);
    CHECK(json["scored"] == json["tokens"].get<int64_t>() - 1);
    CHECK(json["bytes"] == json["tokens"]);
    std::ifstream metrics(run / "metrics.jsonl");
    std::string line;
    while (std::getline(metrics, line) && line.find("val_loss") == std::string::npos) {
    }
    // The trainer leaves out a last window that isn't whole.
    CHECK(json["loss"].get<double>() ==
          Approx(nlohmann::json::parse(line)["val_loss"].get<double>()).epsilon(0.01));

    const ProgramResult text =
        eval(run / "checkpoints/step-4", quoted(project.folder / "text.txt"));
    INFO(text.err);
    CHECK(text.exit_code == 0);
    CHECK_THAT(text.out, ContainsSubstring("nats per token"));
    CHECK_THAT(text.out, ContainsSubstring("bits per byte"));
    CHECK(text.out == eval(run, quoted(project.folder / "text.txt") + " --threads 1").out);

    CHECK(eval(run, quoted(project.folder / "none.txt")).exit_code == 66);
    CHECK(eval(project.folder.path(), held_out).exit_code == 66);
    CHECK(eval(run, held_out + " --format llmc").exit_code == 65);
    write(project.folder / "other.json", R"({"version": "1.0", "pre_tokenizer": null,
        "model": {"type": "BPE", "vocab": {"t": 0, "h": 1}, "merges": []}})");
    REQUIRE(run_program("prepare --tokenizer " + quoted(project.folder / "other.json") + " --out " +
                        quoted(project.folder / "other") + " " +
                        quoted(project.folder / "text.txt"))
                .exit_code == 0);
    CHECK(eval(run, quoted(project.folder.path() / "other/validation.bin")).exit_code == 78);
    CHECK(run_program("eval " + quoted(run)).exit_code == 2);

    // A run without a checkpoint that is whole has nothing to evaluate or sample from.
    std::filesystem::resize_file(run / "checkpoints/step-4/weights.safetensors", 100);
    CHECK(eval(run, held_out).exit_code == 65);
    CHECK(run_program("sample " + quoted(run)).exit_code == 65);
}

TEST_CASE("program: threads come from the config, else from OMP_NUM_THREADS") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);
    const auto threads_line = [&](const std::string& environment, const std::string& arguments) {
        const TempFolder out;
        const ProgramResult result =
            run_program("train " + quoted(project.config) + " --set device=cpu --out " +
                            quoted(out / "run") + " " + arguments,
                        environment);
        return result.exit_code == 0 ? result.err.substr(0, result.err.find(';')) : result.err;
    };
    CHECK(threads_line("OMP_NUM_THREADS=3", "") == "CPU, 3 threads");
    CHECK(threads_line("OMP_NUM_THREADS=3", "--set threads=1") == "CPU, 1 thread");
    CHECK_THAT(threads_line("OMP_NUM_THREADS=many", ""), ContainsSubstring("OMP_NUM_THREADS"));
}

TEST_CASE("program: the same bits at every OMP_NUM_THREADS and `threads`") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);
    const auto weights = [&](const std::string& environment, const std::string& arguments) {
        const TempFolder out;
        REQUIRE(run_program("train " + quoted(project.config) + " --out " + quoted(out / "run") +
                                " --set train.steps=20 " + arguments,
                            environment)
                    .exit_code == 0);
        std::ifstream in(out.path() / "run/checkpoints/step-20/weights.safetensors",
                         std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string one = weights("OMP_NUM_THREADS=1", "");
    CHECK(one.size() > 100000);
    CHECK(one == weights("OMP_NUM_THREADS=2", ""));
    CHECK(one == weights("OMP_NUM_THREADS=4", ""));
    CHECK(one == weights("OMP_NUM_THREADS=1", "--set threads=4"));
}

TEST_CASE("program: config mistakes exit 78 with the path, the place and the right name") {
    const TempFolder folder;
    struct Mistake {
        const char* config;
        std::vector<std::string> says;
    };
    const std::filesystem::path file = folder / "bad.json";
    const Mistake mistakes[] = {
        {"{\n  \"model\": {\"d_modle\": 8}\n}", {":2:13", "model.d_modle", "d_model"}},
        {"{\"train\": {\"steps\": \"ten\"}}", {":1:21", "train.steps", "integer"}},
        {"{\"optimizer\": {\"beta1\": 1.5}}", {":1:25", "optimizer.beta1", "1.5"}},
        {"{\"model\": {\"feed_forward\": {\"activation\": \"polynrm\"}}}",
         {":1:43", "model.feed_forward.activation", "polynorm"}},
        {"{\"seed\": 1,\n \"train\": {\"steps\" 10}}", {":2:"}},
        {"{\"extends\": \"nowhere.json\"}", {":1:13", "nowhere.json"}},
        {"{\"device\": \"gpu\"}", {":1:12", "device", "\"cuda\""}},
    };
    for (const Mistake& mistake : mistakes) {
        INFO(mistake.config);
        write(file, mistake.config);
        for (const std::string command : {"train ", "plan ", "config show "}) {
            const ProgramResult result = run_program(command + quoted(file));
            INFO(result.err);
            CHECK(result.exit_code == 78);
            CHECK_THAT(result.err, ContainsSubstring(file.string()));
            for (const std::string& text : mistake.says)
                CHECK_THAT(result.err, ContainsSubstring(text));
        }
    }
}

TEST_CASE("program: what is missing or wrong elsewhere has its exit code too") {
    const Project project;
    const auto code = [](const std::string& arguments) { return run_program(arguments).exit_code; };
    const std::string config = quoted(project.config);
    CHECK(code("") == 2);
    CHECK(code("trian") == 2);
    CHECK(code("train") == 2);
    CHECK(code("--help") == 0);
    CHECK(code("--version") == 0);
    CHECK(code("train " + quoted(project.folder / "none.json")) == 66);
    CHECK(code("train " + config + " --set train.steps") == 2);
    CHECK(code("train " + config + " --resume sometimes") == 2);
    CHECK(code("train " + config + " --out " + quoted(project.folder / "run")) == 66);  // no tokens
    REQUIRE(project.prepare().exit_code == 0);
    CHECK(code("train " + config + " --out " + quoted(project.folder / "text.txt")) == 73);
    CHECK(code("train " + config + " --out " + quoted(project.folder / "forced") +
               " --set ops.force.rms_norm=reference") == 0);
    CHECK(code("train " + config + " --out " + quoted(project.folder / "forced2") +
               " --set ops.force.rms_nrm=reference") == 78);
    CHECK(code("sample " + quoted(project.folder.path())) == 66);
    CHECK(code("config explain model.d_model") == 0);
    CHECK(code("config explain model.d_modle") == 2);
    // One token changed in the file: its hash tells.
    std::fstream tokens(project.folder.path() / "tokens/train.bin",
                        std::ios::in | std::ios::out | std::ios::binary);
    tokens.seekp(100);
    tokens.put('\x01');
    tokens.close();
    CHECK(code("train " + config + " --out " + quoted(project.folder / "run")) == 65);
    std::filesystem::resize_file(project.folder.path() / "tokens/train.bin", 200);
    CHECK(code("train " + config + " --out " + quoted(project.folder / "run")) == 65);
}

TEST_CASE("program: POLYTRAIN_TRACE tells each implementation once per shape") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);
    const ProgramResult result =
        run_program("train " + quoted(project.config) + " --out " + quoted(project.folder / "run"),
                    "POLYTRAIN_TRACE=ops");
    CHECK(result.exit_code == 0);
    const std::string line = "activation.forward by cpu: x_NX=f32[32, 128]";
    const size_t first = result.err.find(line);
    CHECK(first != std::string::npos);
    CHECK(result.err.find(line, first + 1) == std::string::npos);
    const ProgramResult times =
        run_program("train " + quoted(project.config) + " --out " + quoted(project.folder / "run2"),
                    "POLYTRAIN_TRACE=times");
    CHECK(times.exit_code == 0);
    CHECK(times.err.find(line) > times.err.find("median times of ops"));
    CHECK(times.err.find(line) != std::string::npos);
}

TEST_CASE("program: a CPU without bf16 instructions refuses to train in bf16, and says why") {
    const Project project;
    REQUIRE(project.prepare().exit_code == 0);
    const std::string train = "train --out " + quoted(project.folder / "run") + " " +
                              quoted(project.config) + " --set device=cpu --set precision=";
    const std::string old_processor = "ONEDNN_MAX_CPU_ISA=AVX2";
    const ProgramResult refused = run_program(train + "bf16", old_processor);
    CHECK(refused.exit_code == 78);
    CHECK_THAT(refused.err, ContainsSubstring("precision: \"bf16\": there are no bf16"));
    CHECK_FALSE(std::filesystem::exists(project.folder / "run"));
    CHECK(run_program(train + "auto", old_processor).exit_code == 0);
    std::ifstream config(project.folder / "run/config.json");
    CHECK(nlohmann::json::parse(config)["precision"] == "f32");
}
