#include "config/bind.hpp"
#include "config/tables.hpp"

namespace polytrain::config {

ConfigKey eval_table() {
    constexpr double kMostCount = 1e15;
    constexpr double kMostRows = 1 << 24;
    const auto eval = [](auto& config, size_t) -> auto& {
        return config.eval;
    };
    const auto task = [](auto& config, size_t index) -> auto& {
        return config.eval.tasks[index];
    };
    return {
        .name = "eval",
        .doc =
            "Multiple-choice tasks that the model is asked while it trains, with the "
            "evaluations; docs/evaluation.md. Results go to metrics.jsonl and TensorBoard.",
        .keys = {
            bind_list(
                eval, &EvalConfig::tasks,
                {.name = "tasks",
                 .doc = "Files of questions.",
                 .keys =
                     {
                         bind(task, &TaskSource::name,
                              {.name = "name",
                               .doc = "Its name in the results, and for a task's own JSON lines "
                                      "the task: piqa, or piqa_ with more. Empty: as the file "
                                      "says or is called."}),
                         bind(task, &TaskSource::path,
                              {.name = "path",
                               .doc = "The questions: OLMo requests (a file or a folder of them), "
                                      "a task's own JSON lines, those of llm-foundry, or "
                                      "HellaSwag as text.",
                               .required = true}),
                         bind(task, &TaskSource::dialect,
                              {.name = "dialect",
                               .doc = "Whose prompts and tokens: lm-evaluation-harness' or "
                                      "OLMo's; auto: olmo for its requests, else harness.",
                               .choices = {"auto", "harness", "olmo"}}),
                         bind(task, &TaskSource::shots,
                              {.name = "shots",
                               .doc = "Examples that go before each question.",
                               .range = between(0, 1000)}),
                         bind(task, &TaskSource::examples,
                              {.name = "examples",
                               .doc = "The file that these come from: its first questions, of the "
                                      "same subject."}),
                         bind(task, &TaskSource::limit,
                              {.name = "limit",
                               .doc = "How many questions are asked, the first; 0: all.",
                               .range = between(0, kMostCount)}),
                     }}),
            bind(eval, &EvalConfig::every,
                 {.name = "every",
                  .doc = "Steps between evaluations of the tasks; 0: as train.eval_every. The last "
                         "step has one always.",
                  .unit = "steps",
                  .range = between(0, kMostCount)}),
            bind(eval, &EvalConfig::batch_tokens,
                 {.name = "batch_tokens",
                  .doc = "Tokens of a forward pass over tasks, on each rank, at least a context; "
                         "0: 2048.",
                  .unit = "tokens",
                  .range = between(0, kMostRows)}),
        }};
}

}  // namespace polytrain::config
