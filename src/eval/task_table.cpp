#include "eval/task_table.hpp"

#include <array>

#include "core/utf8.hpp"
#include "eval/task_text.hpp"

namespace polytrain {
namespace {

using Texts = std::vector<std::string>;

// All answers follow one context, after a blank.
Question asked(const std::string& context, const Texts& answers, int64_t gold) {
    Question question{.gold = gold};
    for (const std::string& answer : answers) question.choices.push_back({context, " " + answer});
    return question;
}

// "...\nA. first\nB. second\nAnswer:", answered by a letter.
Question asked_for_letter(std::string context, const Texts& answers, int64_t gold) {
    Texts letters;
    for (const std::string& answer : answers) {
        letters.emplace_back(1, static_cast<char>('A' + letters.size()));
        context += "\n" + letters.back() + ". " + answer;
    }
    return asked(context + "\nAnswer:", letters, gold);
}

std::string question_and_answer(std::string_view question) {
    return fmt::format("Question: {}\nAnswer:", question);
}

Question ask_arc(const TaskLine& line, Dialect) {
    return asked(question_and_answer(line.text("question")), line.texts("choices.text"),
                 line.labelled("answerKey", "choices.label"));
}

// "[...]" are artefacts of WikiHow's part.
std::string without_brackets(std::string_view text) {
    const std::string titled = replaced(strip(text), " [title]", ". ");
    std::string out;
    for (size_t at = 0; at < titled.size(); ++at) {
        const size_t end = titled[at] == '[' ? titled.find_first_of("]\n", at + 1) : titled.npos;
        if (end != titled.npos && titled[end] == ']')
            at = end;
        else
            out += titled[at];
    }
    return replaced(out, "  ", " ");
}

Question ask_hellaswag(const TaskLine& line, Dialect) {
    Texts endings = line.texts("endings");
    for (std::string& ending : endings) ending = without_brackets(ending);
    return asked(without_brackets(line.text("activity_label") + ": " + line.text("ctx_a") + " " +
                                  capitalized(line.text("ctx_b"))),
                 endings, line.whole("label"));
}

Question ask_piqa(const TaskLine& line, Dialect) {
    return asked(question_and_answer(line.text("goal")), {line.text("sol1"), line.text("sol2")},
                 line.whole("label"));
}

Question ask_sciq(const TaskLine& line, Dialect dialect) {
    const std::string& support = line.text("support");
    return asked(
        fmt::format("{}\n{}", dialect == Dialect::kHarness ? strip_left(support) : strip(support),
                    question_and_answer(line.text("question"))),
        {line.text("distractor1"), line.text("distractor2"), line.text("distractor3"),
         line.text("correct_answer")},
        3);
}

// Two contexts, of which one makes the end likely.
Question ask_winogrande(const TaskLine& line, Dialect) {
    const std::string& sentence = line.text("sentence");
    const size_t gap = sentence.find('_');
    if (gap == std::string::npos) line.refuse("the sentence has no _: \"{}\"", sentence);
    Question question{.gold = line.whole("answer") - 1};
    for (const char* option : {"option1", "option2"})
        question.choices.push_back({sentence.substr(0, gap) + line.text(option),
                                    " " + std::string(strip(sentence.substr(gap + 1)))});
    return question;
}

Question ask_boolq(const TaskLine& line, Dialect dialect) {
    const bool yes = line.has("answer") ? line.truth("answer") : line.whole("label") == 1;
    const std::string context =
        fmt::format("{}\nQuestion: {}?\nAnswer:", line.text("passage"), line.text("question"));
    return dialect == Dialect::kHarness ? asked(context, {"no", "yes"}, yes ? 1 : 0)
                                        : asked(context, {"yes", "no"}, yes ? 0 : 1);
}

// The harness' choices have a blank of their own besides.
Question ask_copa(const TaskLine& line, Dialect dialect) {
    const std::string& kind = line.text("question");
    if (kind != "cause" && kind != "effect")
        line.refuse("\"question\" wants \"cause\" or \"effect\", found \"{}\"", kind);
    std::string_view premise = strip(line.text("premise"));
    // Its full stop, or what else is its last character.
    while (!premise.empty() && is_utf8_continuation(premise.back())) premise.remove_suffix(1);
    premise.remove_suffix(premise.empty() ? 0 : 1);
    Texts choices;
    for (const char* key : {"choice1", "choice2"})
        choices.push_back((dialect == Dialect::kHarness ? " " : "") +
                          with_lower_first(line.text(key)));
    return asked(fmt::format("{} {}", premise, kind == "cause" ? "because" : "therefore"), choices,
                 line.whole("label"));
}

Question ask_openbookqa(const TaskLine& line, Dialect) {
    return asked(line.text("question_stem"), line.texts("choices.text"),
                 line.labelled("answerKey", "choices.label"));
}

Question ask_csqa(const TaskLine& line, Dialect dialect) {
    const std::string& question = line.text("question");
    const Texts answers = line.texts("choices.text");
    const int64_t gold = line.labelled("answerKey", "choices.label");
    return dialect == Dialect::kHarness
               ? asked_for_letter(fmt::format("Question: {}", strip(question)), answers, gold)
               : asked(question_and_answer(question), answers, gold);
}

Question ask_social_iqa(const TaskLine& line, Dialect dialect) {
    const std::string question = line.text("context") + " " + line.text("question");
    return asked(dialect == Dialect::kHarness ? fmt::format("Q: {}\nA:", question)
                                              : question_and_answer(question),
                 {line.text("answerA"), line.text("answerB"), line.text("answerC")},
                 line.whole("label") - 1);
}

Question ask_mmlu(const TaskLine& line, Dialect dialect) {
    const std::string& question = line.text("question");
    const Texts answers = line.texts("choices");
    const std::string id = line.id({"answer"});
    const bool is_letter = id.size() == 1 && id[0] >= 'A' && id[0] <= 'Z';
    const int64_t gold = is_letter ? id[0] - 'A' : line.whole("answer");
    Question made = dialect == Dialect::kHarness
                        ? asked_for_letter(std::string(strip(question)), answers, gold)
                        : asked(question_and_answer(strip(question)), answers, gold);
    made.subject = line.id({"subject"});
    if (dialect == Dialect::kHarness || !made.subject.empty())
        made.description = fmt::format(
            "The following are multiple choice questions (with answers) about {}{}\n\n",
            replaced(line.text("subject"), "_", " "), dialect == Dialect::kHarness ? '.' : ':');
    return made;
}

// The primary metrics are those that papers quote of the harness, and OLMo's own.
constexpr std::array kTaskTypes{
    TaskType{"arc_easy", Metric::kAcc, Metric::kAcc, ask_arc},
    TaskType{"arc_challenge", Metric::kAccNorm, Metric::kAccNorm, ask_arc},
    TaskType{"hellaswag", Metric::kAccNorm, Metric::kAccNorm, ask_hellaswag},
    TaskType{"piqa", Metric::kAccNorm, Metric::kAccNorm, ask_piqa},
    TaskType{"sciq", Metric::kAcc, Metric::kAcc, ask_sciq},
    TaskType{"winogrande", Metric::kAcc, Metric::kAcc, ask_winogrande},
    TaskType{"boolq", Metric::kAcc, Metric::kAcc, ask_boolq},
    TaskType{"copa", Metric::kAcc, Metric::kAcc, ask_copa},
    TaskType{"openbookqa", Metric::kAccNorm, Metric::kAccNorm, ask_openbookqa},
    TaskType{"csqa", Metric::kAcc, Metric::kAccNorm, ask_csqa},
    TaskType{"social_iqa", Metric::kAcc, Metric::kAccNorm, ask_social_iqa},
    TaskType{"mmlu", Metric::kAcc, Metric::kAccNorm, ask_mmlu},
};

}  // namespace

const TaskType* find_task_type(std::string_view name) {
    for (const TaskType& type : kTaskTypes)
        if (name == type.name || (name.starts_with(type.name) && name[type.name.size()] == '_'))
            return &type;
    return nullptr;
}

std::string task_type_names() {
    std::string names;
    for (const TaskType& type : kTaskTypes)
        names += fmt::format("{}{}", names.empty() ? "" : ", ", type.name);
    return names;
}

}  // namespace polytrain
