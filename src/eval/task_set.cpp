#include "eval/task_set.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"
#include "eval/choice_encoder.hpp"
#include "tensor/host.hpp"

namespace polytrain {
namespace {

// A question's choices as tokens, and those that have a bare context after that.
struct EncodedQuestion {
    std::vector<ScoredSequence> choices, bare;
    int64_t cut = 0;  // of the choices
};
// Nothing where one is longer than the model's context.
std::optional<EncodedQuestion> encode(ChoiceEncoder& encoder, const Question& question,
                                      Dialect dialect) {
    EncodedQuestion encoded;
    const auto add = [&](const std::string& context, const Choice& choice,
                         std::vector<ScoredSequence>& to) {
        auto sequence = encoder.encode(context, choice.continuation, dialect, question.where);
        if (sequence) to.push_back(std::move(*sequence));
        return sequence.has_value();
    };
    const int64_t cut_before = encoder.cut();
    for (const Choice& choice : question.choices)
        if (!add(choice.context, choice, encoded.choices)) return std::nullopt;
    encoded.cut = encoder.cut() - cut_before;
    for (const Choice& choice : question.choices)
        if (!choice.bare_context.empty() && !add(choice.bare_context, choice, encoded.bare))
            return std::nullopt;
    return encoded;
}

void append(std::vector<ScoredSequence>& all, std::vector<ScoredSequence>&& more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
}

// The log-likelihoods of a pass' sequences, out of the losses of its targets.
void add_up(const PackedSequences& pass, const std::vector<ScoredSequence>& sequences,
            const std::vector<double>& losses, std::vector<double>& log_likelihoods) {
    PT_CHECK(losses.size() == pass.targets.size(), "{} losses of {} targets", losses.size(),
             pass.targets.size());
    auto loss = losses.begin();
    for (auto i = static_cast<size_t>(pass.first), end = i + static_cast<size_t>(pass.count);
         i < end; ++i)
        for (int64_t k = 0; k < sequences[i].scored; ++k) log_likelihoods[i] -= *loss++;
}

// Puts a task's log-likelihoods, which begin at `next`, into place; returns the next task's.
const double* fill(TaskResult& task, const double* next) {
    for (QuestionScores& question : task.questions)
        for (ScoredChoice& choice : question.choices) choice.log_likelihood = *next++;
    for (QuestionScores& question : task.questions)
        for (ScoredChoice& choice : question.choices)
            if (choice.bare_log_likelihood) choice.bare_log_likelihood = *next++;
    MetricMeans means;
    for (const QuestionScores& question : task.questions)
        means.add(question.choices, question.gold);
    task.metrics = means.means();
    return next;
}

}  // namespace

double TaskResult::score() const {
    for (const MetricMean& mean : metrics)
        if (mean.metric == primary) return mean.mean;
    PT_CHECK(false, "{} has no {}", name, name_of(primary, dialect));
}

TaskSet::TaskSet(const std::vector<TaskSource>& sources, const Tokenizer& tokenizer,
                 int64_t context, int64_t rows) {
    for (const TaskSource& source : sources)
        for (const Task& task : read_tasks(source)) add(task, tokenizer, context);
    passes_ = pack(sequences_, rows);
    ContentHasher hasher;
    for (const ScoredSequence& sequence : sequences_) {
        hasher.add(&sequence.scored, sizeof(sequence.scored));
        hasher.add(sequence.ids.data(), sequence.ids.size() * sizeof(int32_t));
    }
    fingerprint_ = hasher.text();
}

void TaskSet::add(const Task& task, const Tokenizer& tokenizer, int64_t context) {
    for (const TaskResult& other : tasks_)
        if (other.name == task.name)
            fail(ExitCode::kBadConfig,
                 "two tasks are called \"{}\"; name the file of one, and give it a name of its "
                 "own: \"{}_...\"",
                 task.name, task.name);
    TaskResult& result =
        tasks_.emplace_back(TaskResult{task.name, task.dialect, task.shots, 0, 0, task.primary});
    ChoiceEncoder encoder(tokenizer, context);
    std::vector<ScoredSequence> bare;
    std::string first_too_long;
    for (const Question& question : task.questions) {
        std::optional<EncodedQuestion> encoded = encode(encoder, question, task.dialect);
        if (!encoded) {
            if (++result.too_long == 1) first_too_long = question.where;
            continue;
        }
        append(sequences_, std::move(encoded->choices));
        append(bare, std::move(encoded->bare));
        result.cut += encoded->cut;
        QuestionScores& scores =
            result.questions.emplace_back(QuestionScores{question.id, question.gold, {}});
        for (const Choice& choice : question.choices) {
            scores.choices.push_back({normalising_characters(choice.continuation),
                                      normalising_bytes(choice.continuation)});
            if (!choice.bare_context.empty()) scores.choices.back().bare_log_likelihood = 0;
        }
    }
    append(sequences_, std::move(bare));
    if (result.questions.empty())
        fail(ExitCode::kCorrupt,
             "{}: each of the {} questions of {} has a choice of more tokens than the model's "
             "context of {}; leave the task out, or train with a larger model.context",
             first_too_long, result.too_long, task.name, context);
    if (encoder.dropped() > 0)
        log::warn("{}: {} characters are not in the tokenizer's vocabulary and were left out",
                  task.name, encoder.dropped());
    if (result.too_long > 0)
        log::warn(
            "{}: {} of {} questions have a choice of more tokens than the model's context of {} "
            "and are left out, the first at {}",
            task.name, result.too_long, task.questions.size(), context, first_too_long);
    if (result.cut > 0)
        log::info("{}: {} contexts are longer than the model's and were cut at their beginnings",
                  task.name, result.cut);
}

std::string TaskSet::description() const {
    size_t questions = 0;
    for (const TaskResult& task : tasks_) questions += task.questions.size();
    return fmt::format("{} tasks, {} questions, {} passes", tasks_.size(), questions, passes());
}

std::optional<std::vector<TaskResult>> TaskSet::evaluate(
    const PackedLosses& losses, Communicator& all,
    const std::function<bool(int64_t done)>& stop) const {
    const auto fingerprints = gather_texts(all, fingerprint_, "tasks");
    for (size_t rank = 1; rank < fingerprints.size(); ++rank)
        if (fingerprints[rank] != fingerprints[0])
            fail(ExitCode::kBadConfig,
                 "rank {} reads other tasks than rank 0; all machines must have the same files",
                 rank);
    // Each by the rank that has it; all others leave it at 0.
    std::vector<double> log_likelihoods(sequences_.size());
    for (int64_t done = 0; done < passes(); done += all.size()) {
        if (stop(done)) return std::nullopt;
        const int64_t own = done + all.rank();
        const PackedSequences none;
        const PackedSequences& pass = own < passes() ? passes_[static_cast<size_t>(own)] : none;
        add_up(pass, sequences_, losses(pass), log_likelihoods);
    }
    all.all_reduce(host_view(log_likelihoods), Reduce::kSum, "task log-likelihoods").wait();
    for (const double value : log_likelihoods)
        if (!std::isfinite(value))
            fail(ExitCode::kNumerics,
                 "the log-likelihood of a task's choice is {}: the model's weights are damaged",
                 value);
    std::vector<TaskResult> results = tasks_;
    const double* next = log_likelihoods.data();
    for (TaskResult& task : results) next = fill(task, next);
    return results;
}

}  // namespace polytrain
