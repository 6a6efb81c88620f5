#include "eval/task_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace polytrain {
namespace {

// "*0.2632 +-0.0185"
std::string cell(const TaskResult& task, Metric metric) {
    for (const MetricMean& mean : task.metrics)
        if (mean.metric == metric)
            return fmt::format(
                "{}{:.4f}{}", metric == task.primary ? "*" : "", mean.mean,
                mean.standard_error ? fmt::format(" +-{:.4f}", *mean.standard_error) : "");
    return "-";
}

}  // namespace

std::string tasks_as_text(const std::vector<TaskResult>& tasks) {
    size_t width = std::string_view("task").size();
    for (const TaskResult& task : tasks) width = std::max(width, task.name.size());
    std::string text =
        fmt::format("{:<{}}  {:<7} {:>5} {:>9}", "task", width, "dialect", "shots", "questions");
    for (const Metric metric : kMetrics)
        text += fmt::format("  {:>17}", name_of(metric, Dialect::kHarness));
    for (const TaskResult& task : tasks) {
        text += fmt::format("\n{:<{}}  {:<7} {:>5} {:>9}", task.name, width, name_of(task.dialect),
                            task.shots, task.questions.size());
        for (const Metric metric : kMetrics) text += fmt::format("  {:>17}", cell(task, metric));
    }
    text += "\n";
    for (const TaskResult& task : tasks)
        if (task.too_long > 0)
            text +=
                fmt::format("{}: {} more questions left out, too long for the model's context\n",
                            task.name, task.too_long);
    return text;
}

nlohmann::ordered_json tasks_as_json(const std::vector<TaskResult>& tasks) {
    auto all = nlohmann::ordered_json::object();
    for (const TaskResult& task : tasks) {
        nlohmann::ordered_json& json = all[task.name];
        json = {
            {"dialect", name_of(task.dialect)},   {"shots", task.shots},
            {"questions", task.questions.size()}, {"cut", task.cut},
            {"too_long", task.too_long},          {"primary", name_of(task.primary, task.dialect)}};
        for (const MetricMean& mean : task.metrics) {
            const std::string name(name_of(mean.metric, task.dialect));
            json[name] = mean.mean;
            if (mean.standard_error) json[name + "_stderr"] = *mean.standard_error;
        }
    }
    return all;
}

std::string question_lines(const std::vector<TaskResult>& tasks) {
    std::string lines;
    for (const TaskResult& task : tasks)
        for (const QuestionScores& question : task.questions) {
            nlohmann::ordered_json line{
                {"task", task.name}, {"id", question.id}, {"gold", question.gold}};
            for (const ScoredChoice& choice : question.choices) {
                line["log_likelihoods"].push_back(choice.log_likelihood);
                if (choice.bare_log_likelihood)
                    line["bare_log_likelihoods"].push_back(*choice.bare_log_likelihood);
                line["characters"].push_back(choice.characters);
                line["bytes"].push_back(choice.bytes);
            }
            lines += line.dump() + "\n";
        }
    return lines;
}

}  // namespace polytrain
