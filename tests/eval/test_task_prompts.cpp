// What each task asks in both dialects, written out by hand.

#include "eval/task_file.hpp"
#include "eval/task_table.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

#include "support/catch.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

Question ask(const char* task, Dialect dialect, const std::string& line) {
    const TaskType* type = find_task_type(task);
    REQUIRE(type != nullptr);
    return type->ask(TaskLine(line, "task.jsonl:7"), dialect);
}

// One context for all choices.
struct Wanted {
    std::string context;
    std::vector<std::string> continuations;
    int64_t gold;
};
void check(const char* task, Dialect dialect, const std::string& line, const Wanted& wanted) {
    const Question question = ask(task, dialect, line);
    INFO(task << " " << name_of(dialect));
    CHECK(question.gold == wanted.gold);
    REQUIRE(question.choices.size() == wanted.continuations.size());
    for (size_t i = 0; i < wanted.continuations.size(); ++i) {
        CHECK(question.choices[i].context == wanted.context);
        CHECK(question.choices[i].continuation == wanted.continuations[i]);
    }
}
void check_both(const char* task, const std::string& line, const Wanted& wanted) {
    check(task, Dialect::kHarness, line, wanted);
    check(task, Dialect::kOlmo, line, wanted);
}

}  // namespace

TEST_CASE("prompts: ARC, with letters and with numbers for labels") {
    for (const char* task : {"arc_easy", "arc_challenge"}) {
        check_both(task,
                   R"({"id": "a", "question": "What melts?",
                       "choices": {"text": ["ice", "air", "fire"], "label": ["A", "B", "C"]},
                       "answerKey": "C"})",
                   {"Question: What melts?\nAnswer:", {" ice", " air", " fire"}, 2});
        check_both(task,
                   R"({"question": "Q", "choices": {"text": ["x", "y"], "label": ["1", "2"]},
                       "answerKey": "2"})",
                   {"Question: Q\nAnswer:", {" x", " y"}, 1});
        check_both(task,
                   R"({"question": "Q", "choices": {"text": ["x", "y"], "label": ["A", "B"]},
                       "answerKey": "2"})",
                   {"Question: Q\nAnswer:", {" x", " y"}, 1});
    }
}

TEST_CASE("prompts: HellaSwag is cleaned, and its second part capitalized") {
    check_both(
        "hellaswag",
        R"({"ind": 4, "activity_label": "Home and Garden", "ctx_a": "How to rest [title] Sit.",
                   "ctx_b": "ADA and \u00c9VA [step] then  [substeps] go", "ctx": "unused",
                   "endings": [" [header] home. ", "to [a] bed", "[x", "up"], "label": "1"})",
        {"Home and Garden: How to rest. Sit. Ada and \xc3\xa9va then  go",
         {"  home.", " to bed", " [x", " up"},
         1});
    // The first letter of the second part in title case, beyond ASCII too; nothing where it's
    // empty.
    check_both("hellaswag",
               R"({"activity_label": "A", "ctx_a": "b.", "ctx_b": "\u00e9t\u00c9",
                   "endings": ["c"], "label": 0})",
               {"A: b. \xc3\x89t\xc3\xa9", {" c"}, 0});
    check_both("hellaswag",
               R"({"activity_label": "A", "ctx_a": "b.", "ctx_b": "", "endings": ["c"],
                   "label": 0})",
               {"A: b.", {" c"}, 0});
}

TEST_CASE("prompts: PIQA") {
    check_both("piqa", R"({"goal": "dry", "sol1": "towel ", "sol2": "water", "label": 0})",
               {"Question: dry\nAnswer:", {" towel ", " water"}, 0});
}

TEST_CASE("prompts: SciQ, the right answer last") {
    const char* line = R"({"question": "Q?", "distractor1": "a", "distractor2": "b",
        "distractor3": "c", "correct_answer": "d", "support": " Some\u00a0text. \n"})";
    check("sciq", Dialect::kHarness, line,
          {"Some\xc2\xa0text. \n\nQuestion: Q?\nAnswer:", {" a", " b", " c", " d"}, 3});
    check("sciq", Dialect::kOlmo, line,
          {"Some\xc2\xa0text.\nQuestion: Q?\nAnswer:", {" a", " b", " c", " d"}, 3});
}

TEST_CASE("prompts: WinoGrande has two contexts and one continuation") {
    for (const Dialect dialect : {Dialect::kHarness, Dialect::kOlmo}) {
        const Question question =
            ask("winogrande", dialect,
                R"({"sentence": "Ann hid so _ was safe. ", "option1": "Ann", "option2": "Bo",
                    "answer": "2"})");
        CHECK(question.gold == 1);
        REQUIRE(question.choices.size() == 2);
        CHECK(question.choices[0].context == "Ann hid so Ann");
        CHECK(question.choices[1].context == "Ann hid so Bo");
        CHECK(question.choices[0].continuation == " was safe.");
        CHECK(question.choices[1].continuation == " was safe.");
    }
}

TEST_CASE("prompts: BoolQ, whose choices the dialects order in their ways") {
    const char* yes = R"({"passage": "P.", "question": "is it so", "answer": true})";
    check("boolq", Dialect::kHarness, yes,
          {"P.\nQuestion: is it so?\nAnswer:", {" no", " yes"}, 1});
    check("boolq", Dialect::kOlmo, yes, {"P.\nQuestion: is it so?\nAnswer:", {" yes", " no"}, 0});
    const char* no = R"({"passage": "P.", "question": "is it so", "label": 0})";
    check("boolq", Dialect::kHarness, no, {"P.\nQuestion: is it so?\nAnswer:", {" no", " yes"}, 0});
    check("boolq", Dialect::kOlmo, no, {"P.\nQuestion: is it so?\nAnswer:", {" yes", " no"}, 1});
}

TEST_CASE("prompts: COPA, with two blanks in the harness") {
    const char* effect = R"({"premise": "It rained. ", "choice1": "I got wet.",
        "choice2": "\u00c9va sang.", "question": "effect", "label": 0})";
    check("copa", Dialect::kHarness, effect,
          {"It rained therefore", {"  i got wet.", "  \xc3\xa9va sang."}, 0});
    check("copa", Dialect::kOlmo, effect,
          {"It rained therefore", {" i got wet.", " \xc3\xa9va sang."}, 0});
    check("copa", Dialect::kOlmo,
          R"({"premise": "I fell.", "choice1": "A", "choice2": "B", "question": "cause",
              "label": 1})",
          {"I fell because", {" a", " b"}, 1});
    // What goes is a character, not a byte.
    check("copa", Dialect::kOlmo,
          R"({"premise": "He said \u201cno\u201d", "choice1": "A", "choice2": "B",
              "question": "cause", "label": 1})",
          {"He said \xe2\x80\x9cno because", {" a", " b"}, 1});
}

TEST_CASE("prompts: OpenBookQA is the bare stem") {
    check_both("openbookqa",
               R"({"id": "7", "question_stem": "Owls sleep by", "choices":
                   {"text": ["day", "night"], "label": ["A", "B"]}, "answerKey": "A"})",
               {"Owls sleep by", {" day", " night"}, 0});
}

TEST_CASE("prompts: CommonsenseQA, letters in the harness and texts in OLMo") {
    const char* line = R"({"id": "1", "question": " Where? ", "question_concept": "x", "choices":
        {"label": ["A", "B", "C"], "text": ["bank", "mall", "sea"]}, "answerKey": "B"})";
    check("csqa", Dialect::kHarness, line,
          {"Question: Where?\nA. bank\nB. mall\nC. sea\nAnswer:", {" A", " B", " C"}, 1});
    check("csqa", Dialect::kOlmo, line,
          {"Question:  Where? \nAnswer:", {" bank", " mall", " sea"}, 1});
}

TEST_CASE("prompts: SocialIQA") {
    const char* line = R"({"context": "Al left.", "question": "Why?", "answerA": "a",
        "answerB": "b", "answerC": "c", "label": "3"})";
    check("social_iqa", Dialect::kHarness, line, {"Q: Al left. Why?\nA:", {" a", " b", " c"}, 2});
    check("social_iqa", Dialect::kOlmo, line,
          {"Question: Al left. Why?\nAnswer:", {" a", " b", " c"}, 2});
}

TEST_CASE("prompts: MMLU, described and lettered in the harness") {
    for (const char* answer : {"1", "\"B\""}) {
        const std::string line = R"({"question": "2+2? ", "subject": "college_mathematics",
            "choices": ["3", "4", "5", "6"], "answer": )" +
                                 std::string(answer) + "}";
        check("mmlu", Dialect::kHarness, line,
              {"2+2?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:", {" A", " B", " C", " D"}, 1});
        check("mmlu", Dialect::kOlmo, line,
              {"Question: 2+2?\nAnswer:", {" 3", " 4", " 5", " 6"}, 1});
        CHECK(ask("mmlu", Dialect::kHarness, line).description ==
              "The following are multiple choice questions (with answers) about college "
              "mathematics.\n\n");
        CHECK(ask("mmlu", Dialect::kOlmo, line).description ==
              "The following are multiple choice questions (with answers) about college "
              "mathematics:\n\n");
    }
}

TEST_CASE("prompts: examples go before the question, the first of its subject, never itself") {
    const TempFolder folder;
    const auto line = [](const char* question, const char* subject, int answer) {
        return fmt::format(
            R"({{"question": "{}", "subject": "{}", "choices": ["w", "x", "y", "z"], "answer": {}}})"
            "\n",
            question, subject, answer);
    };
    spit(folder / "test.jsonl", line("T?", "law", 0) + line("D2?", "law", 2));
    spit(folder / "dev.jsonl", line("O?", "art", 3) + line("D1?", "law", 1) +
                                   line("D2?", "law", 2) + line("D3?", "law", 0));
    TaskSource source{"mmlu_law", folder / "test.jsonl", "harness", 2, folder / "dev.jsonl"};
    const std::string description =
        "The following are multiple choice questions (with answers) about law.\n\n";
    const std::string choices = "\nA. w\nB. x\nC. y\nD. z\nAnswer:";
    Task task = read_tasks(source)[0];
    CHECK(task.shots == 2);
    CHECK(task.primary == Metric::kAcc);
    REQUIRE(task.questions.size() == 2);
    CHECK(task.questions[0].choices[3].context ==
          description + "D1?" + choices + " B\n\nD2?" + choices + " C\n\nT?" + choices);
    CHECK(task.questions[1].choices[0].context ==
          description + "D1?" + choices + " B\n\nD3?" + choices + " A\n\nD2?" + choices);
    source.dialect = "olmo";
    source.shots = 1;
    task = read_tasks(source)[0];
    CHECK(task.primary == Metric::kAccNorm);
    CHECK(task.questions[0].choices[1].context ==
          "The following are multiple choice questions (with answers) about law:\n\n"
          "Question: D1?\nAnswer: x\n\nQuestion: T?\nAnswer:");
    source.shots = 3;
    CHECK(thrown_by([&] { read_tasks(source); }).code == ExitCode::kBadConfig);
    CHECK(thrown_by([&] {
              read_tasks(source);
          }).says("has 2 examples for " + (folder / "test.jsonl").string() + ":2"));
    source.examples.clear();
    CHECK(thrown_by([&] { read_tasks(source); }).code == ExitCode::kBadConfig);
    source.shots = 0;
    CHECK(read_tasks(source)[0].questions[0].choices[0].context == "Question: T?\nAnswer:");

    // WinoGrande's example is the sentence with the right word in it.
    spit(folder / "wino.jsonl",
         R"({"sentence": "A saw _ go.", "option1": "B", "option2": "C", "answer": "2"})"
         "\n"
         R"({"sentence": "D saw _ run.", "option1": "E", "option2": "F", "answer": "1"})");
    const TaskSource wino{"winogrande", folder / "wino.jsonl", "auto", 1, folder / "wino.jsonl"};
    task = read_tasks(wino)[0];
    CHECK(task.questions[1].choices[0].context == "A saw C go.\n\nD saw E");
    CHECK(task.questions[0].choices[1].context == "D saw E run.\n\nA saw C");
}

TEST_CASE("prompts: a key that is missing or wrong is named, with file and line") {
    const auto thrown = [](const char* task, const std::string& line) {
        return thrown_by([&] { ask(task, Dialect::kHarness, line); });
    };
    const auto check = [&](const char* task, const std::string& line, const std::string& says) {
        INFO(says);
        CHECK(thrown(task, line).code == ExitCode::kCorrupt);
        CHECK(thrown(task, line).says("task.jsonl:7: "));
        CHECK(thrown(task, line).says(says));
    };
    check("piqa", R"({"goal": "g", "sol1": "a", "label": 0})",
          "has no \"sol2\"; its keys are \"goal\", \"label\", \"sol1\"");
    check("piqa", R"({"goal": 3, "sol1": "a", "sol2": "b", "label": 0})", "\"goal\" wants a text");
    check("piqa", R"({"goal": "g", "sol1": "a", "sol2": "b", "label": "x"})", "whole number");
    check("boolq", R"({"passage": "p", "question": "q", "answer": "yes"})", "true or false");
    check("arc_easy", R"({"question": "q", "choices": {"text": ["a"], "label": ["A"]},
                          "answerKey": "E"})",
          "\"E\", is none of \"choices.label\"");
    check("arc_easy", R"({"question": "q", "choices": {"text": ["a", 1], "label": ["A"]},
                          "answerKey": "A"})",
          "array of texts");
    check("copa", R"({"premise": "p.", "question": "why", "choice1": "a", "choice2": "b",
                      "label": 0})",
          "\"cause\" or \"effect\"");
    check("winogrande", R"({"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"})",
          "has no _");
    check("piqa", "[1]", "wants a JSON object");
    check("piqa", R"({"goal": "g",)", "not valid JSON");
}
