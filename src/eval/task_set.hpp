#pragma once
// Tasks as a model of one tokenizer and context is asked them.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/tokenizer.hpp"
#include "eval/packed_sequences.hpp"
#include "eval/task_file.hpp"

namespace polytrain {

// A question's figures.
struct QuestionScores {
    std::string id;
    int64_t gold = 0;
    std::vector<ScoredChoice> choices;
};

// How a task went.
struct TaskResult {
    std::string name;
    Dialect dialect = Dialect::kHarness;
    int64_t shots = 0;
    int64_t cut = 0;       // contexts, of choices, that were longer than the model's
    int64_t too_long = 0;  // questions left out: a choice by itself was longer than that
    Metric primary = Metric::kAcc;
    std::vector<MetricMean> metrics = {};
    std::vector<QuestionScores> questions = {};  // those asked

    // The primary metric's mean.
    double score() const;
};

// The losses of a pass' targets, in nats. Ranks may have to call it together.
using PackedLosses = std::function<std::vector<double>(const PackedSequences&)>;

class TaskSet {
  public:
    // Reads, encodes and packs: passes have `rows` rows at most, which are at least `context`. Two
    // tasks of one name: exit 78; none of a task's questions that fits the context: exit 65; else
    // errors as read_tasks() and ChoiceEncoder.
    TaskSet(const std::vector<TaskSource>& sources, const Tokenizer& tokenizer, int64_t context,
            int64_t rows);

    int64_t passes() const { return std::ssize(passes_); }
    // "3 tasks, 1869 questions, 58 passes", for people.
    std::string description() const;

    // Each pass goes to one of the ranks, which all make as many, some perhaps of no sequence:
    // results don't depend on how many ranks there are, and all get them. `stop` is asked before
    // each round, with the passes done; where it says true, on all ranks, nothing is returned.
    // Ranks that were not given the same tasks: exit 78. A log-likelihood that isn't finite: exit
    // 76.
    std::optional<std::vector<TaskResult>> evaluate(
        const PackedLosses& losses, Communicator& all,
        const std::function<bool(int64_t done)>& stop) const;

  private:
    void add(const Task& task, const Tokenizer& tokenizer, int64_t context);

    // Without figures. A choice that has a bare log-likelihood here shall get one.
    std::vector<TaskResult> tasks_;
    // By task: the choices of its questions, in order, and then those after their bare contexts.
    std::vector<ScoredSequence> sequences_;
    std::vector<PackedSequences> passes_;
    std::string fingerprint_;  // equal for equal tokens to score
};

}  // namespace polytrain
