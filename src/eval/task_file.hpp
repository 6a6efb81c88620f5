#pragma once
// Tasks out of files: questions, as they are asked.

#include <string>
#include <vector>

#include "data/task_source.hpp"
#include "eval/question.hpp"
#include "eval/task_metrics.hpp"

namespace polytrain {

struct Task {
    std::string name;
    Dialect dialect = Dialect::kHarness;
    int64_t shots = 0;
    Metric primary = Metric::kAcc;
    std::vector<Question> questions;  // at least one; the examples are in their contexts
};

// The tasks at source.path: of a folder all request files in it and below, where those that would
// have the same name have their own folder's behind it, "arc_easy/val_rc_5shot". What a file holds
// its name and first line tell:
//   requests of OLMo's evaluations ("request"), with config.json beside them or not;
//   questions of llm-foundry ("query" or "context_options");
//   HellaSwag as text (.txt), six lines a question;
//   else a task's own lines, which a row of task_table.hpp asks.
// All may be .gz, .zst or .bz2.
//
// Missing: exit 66; damaged, or a question that can't be asked: exit 65 with file and line; a task
// that isn't known, or shots that can't be had: exit 78.
std::vector<Task> read_tasks(const TaskSource& source);

}  // namespace polytrain
