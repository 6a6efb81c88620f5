#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "eval/task_set.hpp"
#include "train/session.hpp"

namespace polytrain {

// Rows of a forward pass over tasks: `wanted` (eval.batch_tokens), or with 0 the usual number, but
// at least the model's context.
int64_t task_rows(const RunConfig& config, int64_t wanted);

// What TaskEvaluation takes beside a session on a rank of this layout; needs neither.
MemoryPlan plan_tasks(const RunConfig& config, const OpTable& ops, const Layout& layout);

// The tasks of eval.tasks, asked of the model that is in training.
class TaskEvaluation {
  public:
    // The session must outlive it. Errors as TaskSet.
    TaskEvaluation(const RunConfig& config, const Tokenizer& tokenizer,
                   const TrainingSession& session);

    // All ranks share in it; `stop` as TaskSet::evaluate asks it.
    std::optional<std::vector<TaskResult>> results(Communicator& all,
                                                   const std::function<bool()>& stop) const;

    std::string description() const { return tasks_.description(); }
    const MemoryPlan& memory() const { return model_.memory(); }

  private:
    TaskSet tasks_;
    InferenceSession model_;
};

}  // namespace polytrain
