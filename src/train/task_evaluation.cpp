#include "train/task_evaluation.hpp"

#include <algorithm>

namespace polytrain {

int64_t task_rows(const RunConfig& config, int64_t wanted) {
    constexpr int64_t kUsualRows = 2048;  // products are at their full speed
    return std::max(config.model.context, wanted > 0 ? wanted : kUsualRows);
}

MemoryPlan plan_tasks(const RunConfig& config, const OpTable& ops, const Layout& layout) {
    MemoryPlan memory;
    Transformer(config.model, ops.activations())
        .plan(borrowing_planner(config, ops, layout, task_rows(config, config.eval.batch_tokens),
                                config.model.context, memory));
    return memory;
}

TaskEvaluation::TaskEvaluation(const RunConfig& config, const Tokenizer& tokenizer,
                               const TrainingSession& session)
    : tasks_(config.eval.tasks, tokenizer, config.model.context,
             task_rows(config, config.eval.batch_tokens)),
      model_(config, session, task_rows(config, config.eval.batch_tokens), config.model.context) {}

std::optional<std::vector<TaskResult>> TaskEvaluation::results(
    Communicator& all, const std::function<bool()>& stop) const {
    return tasks_.evaluate([&](const PackedSequences& pass) { return model_.losses(pass); }, all,
                           [&](int64_t) { return stop(); });
}

}  // namespace polytrain
