#pragma once
// The tasks whose own JSON lines are understood. To add one: a function that asks its question and
// a row in task_table.cpp.

#include <string_view>

#include "eval/question.hpp"
#include "eval/task_line.hpp"
#include "eval/task_metrics.hpp"

namespace polytrain {

struct TaskType {
    std::string_view name;
    Metric harness, olmo;  // the primary metric in each dialect
    // The question of a line in the layout that Hugging Face's data set has. id and where are the
    // caller's. A missing or wrong key: exit 65.
    Question (*ask)(const TaskLine& line, Dialect dialect);
};

// The task of a name: "arc_easy", or with more after it, "arc_easy_5shot", "mmlu_anatomy". Null:
// there is none.
const TaskType* find_task_type(std::string_view name);
// "arc_easy, arc_challenge, ...", for messages.
std::string task_type_names();

}  // namespace polytrain
