#pragma once
// Results of tasks, for people and for programs.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/task_set.hpp"

namespace polytrain {

// A line for each task and one above: its metrics with their standard errors, the primary one
// marked with a star. Below, which tasks had questions left out.
std::string tasks_as_text(const std::vector<TaskResult>& tasks);

// By the task's name: "dialect", "shots", "questions", "cut", "too_long", "primary", and each
// metric by its name, with NAME_stderr beside it where there is one.
nlohmann::ordered_json tasks_as_json(const std::vector<TaskResult>& tasks);

// A line of JSON for each question: of each choice the log-likelihood and what it is divided by.
std::string question_lines(const std::vector<TaskResult>& tasks);

}  // namespace polytrain
