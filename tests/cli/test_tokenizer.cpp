// The tokenizer commands, and a tokenizer's way through prepare, train and sample.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Project {
    TempFolder folder;
    std::string text = quoted("text.txt"), tokenizer = quoted("own.json");

    Project() {
        std::string words;
        for (int i = 0; i < 400; ++i)
            words += "the quick brown fox jumps over " + std::to_string(i) + " lazy dogs.\n";
        write_file_atomic(folder / "text.txt", words);
    }
    std::string quoted(const std::string& name) const {
        return "'" + (folder / name).string() + "'";
    }
    void train_tokenizer(const std::string& more) const {
        const ProgramResult trained = run_program("tokenizer train --vocab-size 320 --out " +
                                                  tokenizer + " " + more + " " + text);
        INFO(trained.err);
        REQUIRE(trained.exit_code == 0);
        CHECK_THAT(trained.out, ContainsSubstring("vocabulary of 320"));
    }
    void write_config(const std::string& data_tokenizer) const {
        const std::string tokens = (folder / "tokens").string();
        const nlohmann::json config = {
            {"model", {{"d_model", 32}, {"layers", 1}, {"heads", 2}, {"context", 16}}},
            {"data",
             {{"train", {{{"path", tokens + "/train.bin"}}}},
              {"validation", {{"held_out", tokens + "/validation.bin"}}},
              {"tokenizer", data_tokenizer}}},
            {"train", {{"steps", 2}, {"batch", 2}, {"eval_sequences", 4}}}};
        write_file_atomic(folder / "run.json", config.dump());
    }
};

}  // namespace

TEST_CASE("program: encode and decode give every byte back") {
    const Project project;
    project.train_tokenizer("--threads 2");
    std::string bytes = "the quick\n brown \xe2\x82\xac";
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    write_file_atomic(project.folder / "bytes", bytes);
    const std::string use = " --tokenizer " + project.tokenizer;
    const ProgramResult encoded =
        run_program("encode" + use + " --file " + project.quoted("bytes"));
    REQUIRE(encoded.exit_code == 0);
    CHECK_THAT(encoded.err, ContainsSubstring("128 bytes are not UTF-8"));
    CHECK(nlohmann::json::parse(encoded.out).is_array());
    write_file_atomic(project.folder / "ids.json", encoded.out);
    CHECK(run_program("tokenizer decode" + use + " < " + project.quoted("ids.json")).out == bytes);

    const ProgramResult ended = run_program("tokenizer encode --eos" + use + " < /dev/null");
    CHECK(ended.out == "[0]\n");
    CHECK(run_program("encode" + use + " < /dev/null").out == "[]\n");
    const ProgramResult begun = run_program("encode --bos" + use + " < /dev/null");
    CHECK(begun.exit_code == 2);
    CHECK_THAT(begun.err, ContainsSubstring("--bos"));

    write_file_atomic(project.folder / "bad.json", "[1, 2, 320]");
    const ProgramResult bad = run_program("decode" + use + " --file " + project.quoted("bad.json"));
    CHECK(bad.exit_code == 65);
    CHECK_THAT(bad.err, ContainsSubstring("element 2 is 320; ids are 0 to 319"));
    const ProgramResult inspected = run_program("tokenizer inspect" + use);
    CHECK_THAT(inspected.out, ContainsSubstring("vocabulary     320"));
    CHECK_THAT(inspected.out, ContainsSubstring("separator      0 \"<|endoftext|>\""));
}

TEST_CASE("program: a model of a trained tokenizer, whose file goes away") {
    const Project project;
    project.train_tokenizer("--family llama");
    const std::string tokens = project.quoted("tokens"), config = project.quoted("run.json");
    REQUIRE(run_program("prepare --tokenizer " + project.tokenizer + " --out " + tokens + " " +
                        project.text)
                .exit_code == 0);
    project.write_config((project.folder / "own.json").string());
    const ProgramResult plan = run_program("config show " + config);
    CHECK(nlohmann::json::parse(plan.out)["model"]["vocab_size"] == 320);
    const std::string again = "prepare --tokenizer " + project.tokenizer + " --out " +
                              project.quoted("other") + " --separator ";
    CHECK_THAT(run_program(again + "none " + project.text).out, !ContainsSubstring("separator: "));
    CHECK_THAT(run_program(again + "'<s>' " + project.text).out,
               ContainsSubstring("separator: 1\n"));
    CHECK(run_program(again + "'a strange one' " + project.text).exit_code == 2);
    const std::string run = project.quoted("run");
    CHECK(run_program("train --set model.vocab_size=300 " + config + " --out " + run).exit_code ==
          78);
    const ProgramResult trained = run_program("train " + config + " --out " + run);
    INFO(trained.err);
    REQUIRE(trained.exit_code == 0);

    std::filesystem::remove(project.folder / "own.json");
    const ProgramResult sample = run_program("sample " + run + " --prompt 'the quick' --tokens 20");
    CHECK(sample.exit_code == 0);
    CHECK(sample.out.starts_with("the quick"));
    CHECK(sample.out.size() > 20);
    const ProgramResult planned = run_program("plan " + config);
    CHECK(planned.exit_code == 78);
    CHECK_THAT(planned.err, ContainsSubstring("data.tokenizer: there is no tokenizer"));
    CHECK(run_program("plan --set model.vocab_size=320 " + config).exit_code == 0);
}

TEST_CASE("program: a model of characters") {
    const Project project;
    const std::string tokens = project.quoted("tokens"), config = project.quoted("run.json");
    REQUIRE(
        run_program("prepare --tokenizer chars --out " + tokens + " " + project.text).exit_code ==
        0);
    project.write_config("chars");
    const std::string run = project.quoted("run");
    const ProgramResult trained = run_program("train " + config + " --out " + run);
    INFO(trained.err);
    REQUIRE(trained.exit_code == 0);
    const ProgramResult sample = run_program("sample " + run + " --prompt 'fox' --tokens 9");
    CHECK(sample.out.size() == 3 + 9 + 1);
    const ProgramResult strange = run_program("sample " + run + " --prompt 'fox!'");
    CHECK(strange.exit_code == 2);
    CHECK_THAT(strange.err, ContainsSubstring("not in the model's vocabulary"));

    project.write_config("bytes");
    const ProgramResult other = run_program("train " + config + " --out " + run + "2");
    CHECK(other.exit_code == 78);
    CHECK_THAT(other.err, ContainsSubstring("was prepared with the tokenizer \"chars\""));
}
