// `polytrain eval` over tasks and named sets.

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain::testing;

TEST_CASE("program: eval asks tasks, with a table, JSON and details") {
    const TempFolder folder;
    const auto path = [&](const char* name) { return "'" + (folder / name).string() + "'"; };
    std::string text;
    for (int i = 0; i < 400; ++i) text += "the quick brown fox jumps over lazy dogs. ";
    spit(folder / "text.txt", text);
    spit(folder / "piqa.jsonl", R"({"goal": "a fox", "sol1": "jumps", "sol2": "zzz", "label": 0})"
                                "\n"
                                R"({"goal": "a dog", "sol1": "qqq", "sol2": "lazy", "label": 1})");
    spit(folder / "run.json", R"({"model": {"d_model": 32, "layers": 1, "heads": 2, "context": 64},
        "data": {"train": [{"path": ")" +
                                  (folder / "tokens/train.bin").string() + R"("}]},
        "train": {"steps": 2, "batch": 4, "micro_batch": 2}})");
    REQUIRE(run_program("prepare --out " + path("tokens") + " " + path("text.txt")).exit_code == 0);
    REQUIRE(run_program("train " + path("run.json") + " --out " + path("run")).exit_code == 0);
    const auto eval = [&](const std::string& arguments) {
        return run_program("eval " + path("run") + " " + arguments);
    };
    const ProgramResult table =
        eval("--tasks " + path("piqa.jsonl") + ",piqa_again=" + path("piqa.jsonl") + " --out " +
             path("out.json") + " --details " + path("details.jsonl"));
    INFO(table.err);
    REQUIRE(table.exit_code == 0);
    CHECK_THAT(table.out, ContainsSubstring("piqa_again  harness     0         2"));
    CHECK_THAT(table.out, ContainsSubstring(" *"));
    const auto json = nlohmann::json::parse(slurp(folder / "out.json"));
    CHECK(json["step"] == 2);
    CHECK(json["tasks"]["piqa"]["primary"] == "acc_norm");
    CHECK(json["tasks"]["piqa"].contains("acc_norm_stderr"));
    CHECK(json["tasks"]["piqa"] == json["tasks"]["piqa_again"]);
    std::ifstream details(folder / "details.jsonl");
    int lines = 0;
    for (std::string line; std::getline(details, line); ++lines)
        CHECK(nlohmann::json::parse(line)["log_likelihoods"].size() == 2);
    CHECK(lines == 4);

    // Shots, a dialect and a limit reach the task.
    const auto of = [&](const std::string& arguments) {
        const ProgramResult result = eval("--json --tasks " + path("piqa.jsonl") + " " + arguments);
        INFO(result.err);
        REQUIRE(result.exit_code == 0);
        return nlohmann::json::parse(result.out)["tasks"]["piqa"];
    };
    const auto shot = of("--shots 1 --examples " + path("piqa.jsonl"));
    CHECK(shot["shots"] == 1);
    CHECK(shot["bpb"] != json["tasks"]["piqa"]["bpb"]);
    CHECK(of("--dialect olmo").contains("len_norm"));
    CHECK(of("--limit 1")["questions"] == 1);

    // With a set of text, each has its place.
    const auto both = nlohmann::json::parse(
        eval("--json --tasks " + path("piqa.jsonl") + " --data " + path("text.txt")).out);
    CHECK(both["tasks"]["piqa"] == json["tasks"]["piqa"]);
    CHECK(both["data"].size() == 1);

    CHECK(eval("--tasks " + path("none.jsonl")).exit_code == 66);
    CHECK(eval("--tasks x=" + path("piqa.jsonl")).exit_code == 78);
    CHECK(eval("--tasks " + path("piqa.jsonl") + " --shots 1").exit_code == 78);
    CHECK(
        eval("--tasks " + path("piqa.jsonl") + " --examples arc=" + path("piqa.jsonl")).exit_code ==
        2);
    CHECK(eval("--shots 1 --data " + path("text.txt")).exit_code == 2);
    CHECK(eval("--data a=" + path("text.txt") + ",a=" + path("text.txt")).exit_code == 2);
}
