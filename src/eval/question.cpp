#include "eval/question.hpp"

#include "core/error.hpp"
#include "eval/task_text.hpp"

namespace polytrain {

std::string_view name_of(Dialect dialect) {
    return dialect == Dialect::kHarness ? "harness" : "olmo";
}

void check_question(const Question& question) {
    const auto count = std::ssize(question.choices);
    if (count == 0) fail(ExitCode::kCorrupt, "{}: has no choices", question.where);
    for (const Choice& choice : question.choices)
        if (strip(choice.continuation).empty())
            fail(ExitCode::kCorrupt, "{}: choice {} of {} has no text", question.where,
                 &choice - question.choices.data(), count);
    if (question.gold < 0 || question.gold >= count)
        fail(ExitCode::kCorrupt, "{}: the right choice is {}, but there are {}, counted from 0",
             question.where, question.gold, count);
}

}  // namespace polytrain
