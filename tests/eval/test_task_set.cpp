// Tasks scored by models: as one sequence at a time through the ordinary forward pass.

#include "eval/task_set.hpp"

#include <cmath>

#include "eval/task_report.hpp"
#include "support/damage.hpp"
#include "support/thrown.hpp"
#include "train/task_evaluation.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// A model of bytes after a few steps.
struct TrainedModel {
    TempFolder folder;
    RunConfig config;
    std::optional<Checkpoint> checkpoint;
    Machine machine{2};

    explicit TrainedModel(RunConfig from) : config(std::move(from)) {
        config.model.vocab_size = 256;
        config.train.steps = 3;
        config.train.checkpoint_every = config.train.eval_every = 0;
        config.optimizer.schedule.warmup_steps = 1;
        train_with(config, folder / "run", 2);
        checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-3");
    }
    // One sequence at a time, from nothing.
    double plain(const InferenceSession& session, const ScoredSequence& sequence) const {
        HostBatch batch(config.model.context);
        std::fill(batch.targets.begin(), batch.targets.end(), kNotScored);
        const auto inputs = sequence.inputs();
        std::copy(inputs.begin(), inputs.end(), batch.ids.begin());
        for (size_t i = inputs.size() - static_cast<size_t>(sequence.scored); i < inputs.size();
             ++i)
            batch.targets[i] = sequence.ids[i + 1];
        return -session.loss_sum(batch);
    }
};

std::vector<ScoredSequence> random_sequences(int64_t context) {
    Random random("scored");
    std::vector<ScoredSequence> sequences;
    const auto add_ids = [&](std::vector<int32_t>& ids, int64_t count) {
        for (int64_t i = 0; i < count; ++i)
            ids.push_back(static_cast<int32_t>(random.integer(0, 255)));
    };
    for (int question = 0; question < 12; ++question) {
        std::vector<int32_t> shared;
        add_ids(shared, random.integer(1, context - 9));
        for (int64_t choice = random.integer(1, 5); choice > 0; --choice) {
            ScoredSequence sequence{shared};
            sequence.scored = random.integer(1, 9);
            add_ids(sequence.ids, sequence.scored);
            sequences.push_back(sequence);
        }
    }
    return sequences;
}

void check_losses(const RunConfig& config) {
    const TrainedModel model(config);
    const int64_t context = config.model.context;
    const auto session_of = [&](int64_t rows, int64_t cache) {
        return std::make_unique<InferenceSession>(model.config, *model.machine.backend,
                                                  model.machine.ops, *model.checkpoint, 1, rows,
                                                  cache);
    };
    const std::vector<ScoredSequence> sequences = random_sequences(context);
    const auto ordinary = session_of(context, 0);
    std::vector<double> wanted;
    for (const ScoredSequence& sequence : sequences)
        wanted.push_back(model.plain(*ordinary, sequence));
    for (const int64_t rows : {context, context + 17, int64_t{400}}) {
        INFO(rows << " rows, " << config.model.moe.experts << " experts, qk_norm "
                  << config.model.qk_norm);
        const auto session = session_of(rows, context);
        size_t next = 0;
        for (const PackedSequences& pass : pack(sequences, rows)) {
            const std::vector<double> losses = session->losses(pass);
            CHECK(session->losses(pass) == losses);  // nothing is left over
            REQUIRE(losses.size() == pass.targets.size());
            auto loss = losses.begin();
            for (int64_t i = 0; i < pass.count; ++i, ++next) {
                double sum = 0;
                for (int64_t k = 0; k < sequences[next].scored; ++k) sum -= *loss++;
                CHECK(std::fabs(sum - wanted[next]) <= 1e-5 * std::max(1.0, std::fabs(sum)));
            }
        }
        CHECK(next == sequences.size());
        CHECK(session->losses({}).empty());
    }
}

std::string questions_text() {
    Random random("questions");
    std::string text;
    const auto word = [&](int64_t most) {
        std::string letters;
        for (int64_t i = random.integer(1, most); i > 0; --i)
            letters += static_cast<char>(random.integer('a', 'z'));
        return letters;
    };
    for (int i = 0; i < 23; ++i) {
        nlohmann::json line{{"query", word(60)}, {"choices", {}}};
        for (int64_t k = random.integer(2, 5); k > 0; --k) line["choices"].push_back(word(12));
        line["gold"] = random.integer(0, std::ssize(line["choices"]) - 1);
        text += line.dump() + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("task set: packed sequences have the losses of one at a time") {
    RunConfig config = tiny_config();
    check_losses(config);
    config.model.qk_norm = "head";
    config.model.tied = true;
    check_losses(config);
}

TEST_CASE("task set: packed sequences have the losses of one at a time, with experts") {
    RunConfig config = tiny_config();
    config.model.moe.experts = 6;
    config.model.moe.top_k = 2;
    config.model.moe.hidden = 24;
    config.model.moe.shared_hidden = 20;
    check_losses(config);
}

TEST_CASE("task set: a file's log-likelihoods are those of its texts, whatever a pass holds") {
    const TrainedModel model(tiny_config());
    const int64_t context = model.config.model.context;
    spit(model.folder / "toy.jsonl", questions_text());
    const TaskSource source{.path = model.folder / "toy.jsonl"};
    const auto bytes = make_tokenizer("bytes");
    const auto alone = make_local_communicator();
    const auto go_on = [](int64_t) { return false; };
    const InferenceSession ordinary(model.config, *model.machine.backend, model.machine.ops,
                                    *model.checkpoint);
    std::vector<TaskResult> first;
    for (const int64_t rows : {context, int64_t{100}, int64_t{2048}}) {
        const InferenceSession session(model.config, *model.machine.backend, model.machine.ops,
                                       *model.checkpoint, 1, rows, context);
        const TaskSet tasks({source}, *bytes, context, rows);
        const auto losses = [&](const PackedSequences& pass) { return session.losses(pass); };
        const auto results = tasks.evaluate(losses, *alone, go_on);
        REQUIRE(results);
        REQUIRE(results->size() == 1);
        const TaskResult& result = (*results)[0];
        CHECK(result.name == "toy");
        CHECK(result.cut > 0);
        CHECK(result.score() == result.metrics[0].mean);
        const Task task = read_tasks(source)[0];
        REQUIRE(result.questions.size() == task.questions.size());
        int64_t right = 0;
        for (size_t q = 0; q < task.questions.size(); ++q) {
            const Question& question = task.questions[q];
            const QuestionScores& scores = result.questions[q];
            CHECK(scores.id == question.id);
            REQUIRE(scores.choices.size() == question.choices.size());
            for (size_t c = 0; c < question.choices.size(); ++c) {
                const Choice& choice = question.choices[c];
                std::string text = choice.context + choice.continuation;
                const auto most = static_cast<size_t>(context) + 1;
                if (text.size() > most) text.erase(0, text.size() - most);
                const ScoredSequence sequence{{text.begin(), text.end()},
                                              std::ssize(choice.continuation)};
                const double wanted = model.plain(ordinary, sequence);
                CHECK(std::fabs(scores.choices[c].log_likelihood - wanted) <=
                      1e-5 * std::fabs(wanted));
                CHECK(scores.choices[c].characters == std::ssize(choice.continuation) - 1);
            }
            right += choice_by(Metric::kAcc, scores.choices) == question.gold;
        }
        CHECK(result.metrics[0].mean ==
              Approx(static_cast<double>(right) / static_cast<double>(task.questions.size())));
        if (first.empty()) first = *results;
        for (size_t m = 0; m < result.metrics.size(); ++m)
            CHECK(result.metrics[m].mean == Approx(first[0].metrics[m].mean).epsilon(1e-5));
    }
}

TEST_CASE("task set: stopped, it has no results; broken, and twice the same name, it says so") {
    const TempFolder folder;
    spit(folder / "toy.jsonl", questions_text());
    const TaskSource source{.path = folder / "toy.jsonl"};
    const auto bytes = make_tokenizer("bytes");
    const auto alone = make_local_communicator();
    const TaskSet tasks({source}, *bytes, 100, 100);
    REQUIRE(tasks.passes() > 2);
    int64_t calls = 0;
    double loss = 1;
    const auto losses = [&](const PackedSequences& pass) {
        ++calls;
        return std::vector<double>(pass.targets.size(), loss);
    };
    CHECK_FALSE(tasks.evaluate(losses, *alone, [](int64_t done) { return done == 2; }));
    CHECK(calls == 2);
    const auto results = tasks.evaluate(losses, *alone, [](int64_t) { return false; });
    // A nat a byte.
    for (const QuestionScores& question : results.value()[0].questions)
        for (const ScoredChoice& choice : question.choices)
            CHECK(choice.log_likelihood == -static_cast<double>(choice.bytes + 1));
    loss = std::nan("");
    CHECK(thrown_by([&] { tasks.evaluate(losses, *alone, [](int64_t) { return false; }); }).code ==
          ExitCode::kNumerics);
    CHECK(thrown_by([&] {
              TaskSet({source, source}, *bytes, 100, 100);
          }).says("two tasks are called \"toy\""));
}

TEST_CASE("task set: questions that don't fit the context are left out, counted, and not scored") {
    const TempFolder folder;
    spit(folder / "toy.jsonl",
         R"({"query": "Q", "choices": ["a", "bbb"], "gold": 0})"
         "\n"
         R"({"query": "longer still", "choices": ["a", "nine more"], "gold": 0})"
         "\n"
         R"({"query": "longer", "choices": ["a", "eight mr"], "gold": 1})"
         "\n"
         R"({"query": "Q", "choices": ["ten letter", "nine more"], "gold": 0})");
    const TaskSource source{.path = folder / "toy.jsonl"};
    const auto bytes = make_tokenizer("bytes");
    const auto alone = make_local_communicator();
    // A nat a byte: the shorter choice is taken.
    const auto losses = [](const PackedSequences& pass) {
        return std::vector<double>(pass.targets.size(), 1);
    };
    const auto go_on = [](int64_t) { return false; };
    const auto results = TaskSet({source}, *bytes, 9, 20).evaluate(losses, *alone, go_on);
    const TaskResult& task = results.value()[0];
    REQUIRE(task.questions.size() == 2);
    CHECK(task.questions[0].id == "0");
    CHECK(task.questions[1].id == "2");
    CHECK(task.questions[1].choices[1].log_likelihood == -9);
    CHECK(task.too_long == 2);
    CHECK(task.cut == 1);  // of a question asked
    CHECK(task.metrics[0].mean == 0.5);
    CHECK(task.metrics[0].standard_error == Approx(0.5));
    CHECK(tasks_as_json(*results)["toy"]["too_long"] == 2);
    CHECK(tasks_as_text(*results).find("toy: 2 more questions left out") != std::string::npos);

    const TaskSet all({source}, *bytes, 20, 20);
    CHECK(all.evaluate(losses, *alone, go_on).value()[0].too_long == 0);
    const Thrown thrown = thrown_by([&] { TaskSet({source}, *bytes, 3, 20); });
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(thrown.says("toy.jsonl:1: each of the 4 questions of toy"));
}

TEST_CASE("task set: the memory of tasks in training is known before there is a session") {
    const TempFolder folder;
    spit(folder / "toy.jsonl", questions_text());
    const Machine machine;
    for (const int64_t experts : {0, 6}) {
        RunConfig config = tiny_config();
        config.model.vocab_size = 256;
        config.model.moe.experts = experts;
        config.model.moe.top_k = 2;
        config.model.moe.hidden = 24;
        config.eval.tasks = {{.path = folder / "toy.jsonl"}};
        const TrainingSession session(config, *machine.backend, machine.ops);
        const TaskEvaluation tasks(config, *make_tokenizer("bytes"), session);
        CHECK(plan_tasks(config, machine.ops, {}).total_bytes() == tasks.memory().total_bytes());
    }
}

TEST_CASE("task set: bare contexts are scored too, and each choice by its own") {
    const TempFolder folder;
    std::string text;
    for (const int document : {0, 1000000})
        for (int i = 0; i < 2; ++i)
            text += nlohmann::json{{"request",
                                    {{"context", document == 0 ? "Q" : "Answer:"},
                                     {"continuation", i == 0 ? " ab" : " c"}}},
                                   {"idx", i},
                                   {"doc_id", document},
                                   {"label", 0}}
                        .dump() +
                    "\n";
    spit(folder / "requests.jsonl", text);
    const auto bytes = make_tokenizer("bytes");
    const auto alone = make_local_communicator();
    const TaskSet tasks({{.path = folder / "requests.jsonl"}}, *bytes, 30, 30);
    // What follows a colon, in "Answer:", is half as unlikely.
    const auto losses = [&](const PackedSequences& pass) {
        std::vector<double> all;
        for (const int32_t row : pass.rows)
            all.push_back(pass.ids[static_cast<size_t>(row)] == ':' ? 0.5 : 1);
        return all;
    };
    const auto results = tasks.evaluate(losses, *alone, [](int64_t) { return false; });
    const auto& choices = results.value()[0].questions[0].choices;
    CHECK(choices[0].log_likelihood == -3);
    CHECK(choices[0].bare_log_likelihood == -2.5);
    CHECK(choices[1].log_likelihood == -2);
    CHECK(choices[1].bare_log_likelihood == -1.5);
}
