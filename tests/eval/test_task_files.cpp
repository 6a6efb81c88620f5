// Files of questions: the formats, and what is wrong with damaged ones.

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "eval/task_file.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/text_files.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json request(int64_t document, int64_t index, const std::string& context,
             const std::string& continuation, int64_t label) {
    return {{"request_type", "loglikelihood"},
            {"doc", {{"query", context}}},
            {"request", {{"context", context}, {"continuation", continuation}}},
            {"idx", index},
            {"task_name", "toy"},
            {"doc_id", document},
            {"native_id", "n" + std::to_string(document)},
            {"label", label}};
}
std::string lines_of(const std::vector<json>& all) {
    std::string text;
    for (const json& line : all) text += line.dump() + "\n";
    return text;
}

std::vector<json> two_questions() {
    return {request(0, 0, "Q0", " a", 1),
            request(0, 1, "Q0", " b", 1),
            request(1000000, 0, "Answer:", " a", 1),
            request(1, 0, "Q1x", " c", 0),
            request(1000000, 1, "Answer:", " b", 1),
            request(1, 1, "Q1y", " c", 0),
            request(1, 2, "Q1z", " c", 0)};
}

}  // namespace

TEST_CASE("task files: requests are grouped by document, those without the question apart") {
    const TempFolder folder;
    fs::create_directories(folder / "toy");
    for (const auto& [extension, compress] : compressors())
        for (const bool has_config : {false, true}) {
            const fs::path path = folder.path() / "toy" / ("requests.jsonl" + extension);
            spit(path, compress(lines_of(two_questions()) + "\n \r\n"));
            if (has_config)
                spit(folder.path() / "toy/config.json",
                     R"({"task_config": {"primary_metric": "acc_per_char", "num_shots": 5}})");
            for (const fs::path& named : {path, folder.path()}) {
                const std::vector<Task> tasks = read_tasks({.path = named});
                REQUIRE(tasks.size() == 1);
                const Task& task = tasks[0];
                CHECK(task.name == (has_config ? "toy_5shot" : "toy"));
                CHECK(task.shots == (has_config ? 5 : 0));
                CHECK(task.dialect == Dialect::kOlmo);
                CHECK(task.primary == (has_config ? Metric::kAccNorm : Metric::kAcc));
                REQUIRE(task.questions.size() == 2);
                const Question& first = task.questions[0];
                CHECK(first.id == "n0");
                CHECK(first.gold == 1);
                REQUIRE(first.choices.size() == 2);
                CHECK(first.choices[1].context == "Q0");
                CHECK(first.choices[1].continuation == " b");
                CHECK(first.choices[1].bare_context == "Answer:");
                REQUIRE(task.questions[1].choices.size() == 3);
                CHECK(task.questions[1].choices[2].context == "Q1z");
                CHECK(task.questions[1].choices[2].bare_context.empty());
            }
            fs::remove(path);
            fs::remove(folder.path() / "toy/config.json");
        }
    CHECK(thrown_by([&] { read_tasks({.path = folder.path()}); }).code == ExitCode::kInputMissing);
    CHECK(thrown_by([&] { read_tasks({.path = folder / "none.jsonl"}); }).code ==
          ExitCode::kInputMissing);
}

TEST_CASE("task files: a name, a dialect and a limit are the user's to give") {
    const TempFolder folder;
    spit(folder / "requests.jsonl", lines_of(two_questions()));
    const Task task = read_tasks({.name = "arc_challenge_mine",
                                  .path = folder / "requests.jsonl",
                                  .dialect = "harness",
                                  .limit = 1})[0];
    CHECK(task.name == "arc_challenge_mine");
    CHECK(task.dialect == Dialect::kHarness);
    CHECK(task.primary == Metric::kAccNorm);
    CHECK(task.questions.size() == 1);
    CHECK(thrown_by([&] {
              read_tasks({.path = folder / "requests.jsonl",
                          .shots = 1,
                          .examples = folder / "requests.jsonl"});
          }).says("their examples in them already"));
    fs::create_directories(folder.path() / "more");
    spit(folder.path() / "more/requests.jsonl", lines_of(two_questions()));
    spit(folder.path() / "more/config.json", R"({"task_config": {"num_shots": 5}})");
    const std::vector<Task> two = read_tasks({.path = folder.path()});
    REQUIRE(two.size() == 2);
    CHECK(two[0].name == "toy_5shot");
    CHECK(two[1].name == "toy");
    CHECK(thrown_by([&] { read_tasks({.name = "x", .path = folder.path()}); }).code ==
          ExitCode::kBadConfig);
}

TEST_CASE("task files: requests of one name in a folder are told apart by their own folders") {
    const TempFolder folder;
    for (const char* inner : {"arc/rc_5shot", "arc/val_rc_5shot", "other"}) {
        fs::create_directories(folder.path() / inner);
        std::vector<json> all = two_questions();
        if (inner == std::string("other"))
            for (json& line : all) line["task_name"] = "other";
        spit(folder.path() / inner / "requests.jsonl", lines_of(all));
        spit(folder.path() / inner / "config.json", R"({"task_config": {"num_shots": 5}})");
    }
    const std::vector<Task> tasks = read_tasks({.path = folder.path()});
    REQUIRE(tasks.size() == 3);
    CHECK(tasks[0].name == "toy_5shot/rc_5shot");
    CHECK(tasks[1].name == "toy_5shot/val_rc_5shot");
    CHECK(tasks[2].name == "other_5shot");
}

TEST_CASE("task files: acc_uncond is pmi_dc, which all choices must have a bare context for") {
    const TempFolder folder;
    std::vector<json> all = two_questions();
    for (json& line : all) line["task_name"] = "arc_challenge";
    spit(folder / "requests.jsonl", lines_of(all));
    spit(folder / "config.json", R"({"task_config": {"primary_metric": "acc_uncond"}})");
    // The second question has none.
    const TaskSource source{.path = folder / "requests.jsonl"};
    CHECK(read_tasks(source)[0].primary == Metric::kAccNorm);
    TaskSource first = source;
    first.limit = 1;
    CHECK(read_tasks(first)[0].primary == Metric::kPmiDc);
    for (int64_t i = 0; i < 3; ++i) all.push_back(request(1000001, i, "Answer:", " c", 0));
    spit(folder / "requests.jsonl", lines_of(all));
    CHECK(read_tasks(source)[0].primary == Metric::kPmiDc);
}

TEST_CASE("task files: llm-foundry's questions, and HellaSwag as text") {
    const TempFolder folder;
    spit(folder / "piqa.jsonl", R"({"query": "Question: dry\n", "choices": ["a", " b"], "gold": 1})"
                                "\n"
                                R"({"query": "It rained, so ", "choices": ["c"], "gold": 0})");
    Task task = read_tasks({.path = folder / "piqa.jsonl"})[0];
    CHECK(task.name == "piqa");
    CHECK(task.dialect == Dialect::kHarness);
    CHECK(task.primary == Metric::kAccNorm);
    CHECK(task.questions[0].choices[1].context == "Question: dry\nAnswer:");
    CHECK(task.questions[0].choices[1].continuation == " b");
    CHECK(task.questions[0].gold == 1);
    CHECK(task.questions[1].choices[0].context == "It rained, so");
    CHECK(task.questions[1].id == "1");

    spit(folder / "winogrande.jsonl",
         R"({"context_options": ["A", "B"], "continuation": "won.", "gold": 1})");
    task = read_tasks({.path = folder / "winogrande.jsonl"})[0];
    CHECK(task.questions[0].choices[1].context == "B");
    CHECK(task.questions[0].choices[1].continuation == " won.");

    const std::string text = "Sport: A man\n2\nruns.\nsits.\nsings.\nflies.\n";
    spit(folder / "hellaswag_val.txt.bz2", bzip2(text + text));
    task = read_tasks({.path = folder / "hellaswag_val.txt.bz2"})[0];
    CHECK(task.name == "hellaswag_val");
    CHECK(task.primary == Metric::kAccNorm);
    REQUIRE(task.questions.size() == 2);
    CHECK(task.questions[1].gold == 2);
    CHECK(task.questions[1].choices[3].context == "Sport: A man");
    CHECK(task.questions[1].choices[3].continuation == " flies.");
}

TEST_CASE("task files: what is wrong is told with the line") {
    const TempFolder folder;
    const fs::path requests = folder / "requests.jsonl";
    const auto check = [&](const fs::path& path, const std::string& text, ExitCode code,
                           const std::string& says) {
        spit(path, text);
        const Thrown thrown = thrown_by([&] { read_tasks({.path = path}); });
        INFO(thrown.message);
        CHECK(thrown.code == code);
        CHECK(thrown.says(says));
        CHECK(thrown.says(path.string()));
    };
    const auto check_requests = [&](const auto& change, const std::string& says) {
        std::vector<json> all = two_questions();
        change(all);
        check(requests, lines_of(all), ExitCode::kCorrupt, says);
    };
    check_requests([](auto& all) { all[5].erase("label"); }, ":6: has no \"label\"");
    check_requests([](auto& all) { all[0]["label"] = all[1]["label"] = 2; },
                   ":1: the right choice is 2, but there are 2");
    check_requests([](auto& all) { all[0]["label"] = all[1]["label"] = -1; },
                   ":1: the right choice is -1");
    check_requests([](auto& all) { all[1]["label"] = 0; }, ":2: \"label\" is 0, but 1");
    check_requests([](auto& all) { all[1]["idx"] = 0; },
                   ":2: choice 0 of document 0 comes a second");
    check_requests([](auto& all) { all.erase(all.begin() + 3); },
                   "choice 0 of document 1 is missing");
    check_requests([](auto& all) { all[3]["request"]["continuation"] = "  "; },
                   ":4: choice 0 of 3 has no text");
    check_requests([](auto& all) { all[3]["request"].erase("context"); },
                   ":4: has no \"request.context\"");
    check_requests([](auto& all) { all[2]["request_type"] = "generate_until"; },
                   ":3: \"request_type\" is \"generate_until\"");
    check(requests, lines_of(two_questions()) + "{\"idx\": ", ExitCode::kCorrupt,
          ":8: not valid JSON");
    check(requests, " \n\n", ExitCode::kCorrupt, "holds no questions");
    const std::string packed = gzip(lines_of(two_questions()));
    check(folder / "cut.jsonl.gz", packed.substr(0, packed.size() - 20), ExitCode::kCorrupt,
          "cut short");

    const fs::path piqa = folder / "piqa.jsonl";
    check(piqa, R"({"query": "Q", "choices": [], "gold": 0})", ExitCode::kCorrupt,
          ":1: has no choices");
    check(piqa, R"({"query": "Q", "choices": ["a"], "gold": null})", ExitCode::kCorrupt,
          ":1: \"gold\" wants a whole number, found null");
    check(piqa, R"({"query": "Q", "choices": ["a"]})", ExitCode::kCorrupt, ":1: has no \"");
    check(folder / "unknown.jsonl", R"({"goal": "g"})", ExitCode::kBadConfig,
          ":1: it isn't known how task \"unknown\" asks; call it arc_easy, ");
    check(folder / "hellaswag.txt", "a\n1\nb\nc\nd\n", ExitCode::kCorrupt,
          ":1: the question has fewer than its six lines");
    check(folder / "hellaswag.txt", "a\n4\nb\nc\nd\ne\n", ExitCode::kCorrupt,
          ":2: wants the right ending, 0 to 3, found \"4\"");
}

TEST_CASE("task files: all that are in shared/eval are read") {
    const fs::path root = fs::path(POLYTRAIN_SOURCE_DIR).parent_path() / "shared/eval";
    if (!fs::exists(root)) {
        std::cout << "SKIPPED: no " << root << "\n";
        return;
    }
    struct Wanted {
        const char* name;
        size_t questions, fewest, most;
        Metric primary;
        bool has_bare;
    };
    const auto check = [](const Task& task, const Wanted& wanted) {
        INFO(task.name);
        CHECK(task.primary == wanted.primary);
        CHECK(task.questions.size() == wanted.questions);
        size_t fewest = 100, most = 0;
        bool has_bare = true;
        for (const Question& question : task.questions) {
            fewest = std::min(fewest, question.choices.size());
            most = std::max(most, question.choices.size());
            for (const Choice& choice : question.choices)
                has_bare = has_bare && choice.bare_context == "Answer:";
        }
        CHECK(fewest == wanted.fewest);
        CHECK(most == wanted.most);
        CHECK(has_bare == wanted.has_bare);
    };
    const std::vector<Wanted> requests{{"arc_challenge", 299, 3, 5, Metric::kAccNorm, true},
                                       {"arc_easy", 570, 3, 5, Metric::kAcc, true},
                                       {"arc_easy_5shot", 570, 3, 5, Metric::kAcc, true},
                                       {"boolq", 3270, 2, 2, Metric::kAcc, false},
                                       {"copa", 100, 2, 2, Metric::kAcc, true},
                                       {"csqa", 1221, 5, 5, Metric::kAccNorm, true},
                                       {"hellaswag_5shot", 1000, 4, 4, Metric::kAccNorm, true},
                                       {"openbookqa", 500, 4, 4, Metric::kAccNorm, true},
                                       {"piqa", 1838, 2, 2, Metric::kAccNorm, true},
                                       {"winogrande", 1267, 2, 2, Metric::kAcc, false}};
    const std::vector<Task> tasks = read_tasks({.path = root / "oe_eval_tasks"});
    REQUIRE(tasks.size() == requests.size());
    for (const Wanted& wanted : requests) {
        const auto found = std::find_if(tasks.begin(), tasks.end(),
                                        [&](const Task& task) { return task.name == wanted.name; });
        INFO(wanted.name);
        REQUIRE(found != tasks.end());
        check(*found, wanted);
    }
    check(read_tasks({.path = root / "llm-foundry/arc_easy.jsonl"})[0],
          {"arc_easy", 2376, 4, 4, Metric::kAcc, false});
    check(read_tasks({.path = root / "llm-foundry/piqa.jsonl"})[0],
          {"piqa", 1838, 2, 2, Metric::kAccNorm, false});
    check(read_tasks({.path = root / "llm-foundry/copa.jsonl"})[0],
          {"copa", 100, 2, 2, Metric::kAcc, false});
    check(read_tasks({.path = root / "llm-foundry/winogrande.jsonl"})[0],
          {"winogrande", 1267, 2, 2, Metric::kAcc, false});
    check(read_tasks({.path = root / "hellaswag/hellaswag_val_full.txt.bz2"})[0],
          {"hellaswag", 10042, 4, 4, Metric::kAccNorm, false});
}
