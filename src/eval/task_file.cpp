#include "eval/task_file.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "data/text/line_reader.hpp"
#include "eval/request_file.hpp"
#include "eval/task_table.hpp"
#include "eval/task_text.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBetweenExamples = "\n\n";

// The name without any extension: "piqa" of "piqa.jsonl.gz".
std::string stem_of(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.substr(0, name.find('.', 1));
}

bool is_plain_text(fs::path path) {
    if (compression_of(path) != Compression::kNone) path = path.stem();
    return path.extension() == ".txt";
}

// Six lines a question: the context, the index of the right ending, four endings.
std::vector<Question> read_hellaswag_text(LineReader& reader) {
    std::vector<Question> questions;
    for (std::string line; reader.next(line);) {
        if (line.empty()) continue;
        Question& question = questions.emplace_back();
        question.id = std::to_string(questions.size() - 1);
        question.where = reader.where();
        const std::string context = line;
        const auto next = [&] {
            if (!reader.next(line))
                fail(ExitCode::kCorrupt, "{}: the question has fewer than its six lines",
                     question.where);
        };
        next();
        if (line.size() != 1 || line[0] < '0' || line[0] > '3')
            fail(ExitCode::kCorrupt, "{}: wants the right ending, 0 to 3, found \"{}\"",
                 reader.where(), line);
        question.gold = line[0] - '0';
        for (int ending = 0; ending < 4; ++ending) {
            next();
            question.choices.push_back({context, " " + line});
        }
    }
    return questions;
}

// llm-foundry's files leave what comes between question and answer to its configs.
Question foundry_question(const TaskLine& line) {
    Question question{.gold = line.whole("gold")};
    if (line.has("context_options")) {
        for (const std::string& context : line.texts("context_options"))
            question.choices.push_back({context, " " + line.text("continuation")});
        return question;
    }
    std::string context(strip_right(line.text("query")));
    if (context.starts_with("Question:")) context += "\nAnswer:";
    for (const std::string& choice : line.texts("choices"))
        question.choices.push_back({context, fmt::format(" {}", strip_left(choice))});
    return question;
}

Question question_of(const TaskLine& line, const Task& task) {
    if (line.has("context_options") || (line.has("query") && line.has("gold")))
        return foundry_question(line);
    const TaskType* type = find_task_type(task.name);
    if (type == nullptr)
        fail(ExitCode::kBadConfig,
             "{}: it isn't known how task \"{}\" asks; call it {}, or one of these with more "
             "behind a _",
             line.where(), task.name, task_type_names());
    return type->ask(line, task.dialect);
}

// pmi_dc wants them of all choices.
bool have_bare_contexts(const std::vector<Question>& questions) {
    for (const Question& question : questions)
        for (const Choice& choice : question.choices)
            if (choice.bare_context.empty()) return false;
    return true;
}

// The questions of a file, the limited number of them, before examples come to them.
struct TaskFile {
    Task task;
    bool is_requests = false;
};

TaskFile read_file_of(const fs::path& path, const TaskSource& source, int64_t limit) {
    TaskFile file;
    Task& task = file.task;
    task.name = source.name.empty() ? stem_of(path) : source.name;
    if (source.dialect == "olmo") task.dialect = Dialect::kOlmo;
    std::optional<RequestReader> requests;
    LineReader reader(path);
    if (is_plain_text(path)) {
        task.questions = read_hellaswag_text(reader);
    } else {
        for (std::string text; reader.next(text);) {
            if (strip(text).empty()) continue;
            const TaskLine line(text, reader.where());
            if (task.questions.empty() && !requests && line.has("request")) requests.emplace();
            if (requests) {
                requests->add(line);
                continue;
            }
            Question& question = task.questions.emplace_back(question_of(line, task));
            question.id = line.id({"id", "ind", "idx", "index"});
            if (question.id.empty()) question.id = std::to_string(task.questions.size() - 1);
            question.where = line.where();
        }
    }
    RequestConfig config;
    if (requests) {
        file.is_requests = true;
        config = read_request_config(path);
        task.shots = config.shots;
        task.questions = requests->take();
        if (source.dialect == "auto") task.dialect = Dialect::kOlmo;
        if (source.name.empty() && !requests->task_name().empty())
            task.name = requests->task_name() +
                        (config.shots > 0 ? fmt::format("_{}shot", config.shots) : "");
    }
    if (task.questions.empty()) fail(ExitCode::kCorrupt, "{}: holds no questions", path.string());
    if (limit > 0 && limit < std::ssize(task.questions))
        task.questions.resize(static_cast<size_t>(limit));
    for (const Question& question : task.questions) check_question(question);
    if (const TaskType* type = find_task_type(task.name))
        task.primary = task.dialect == Dialect::kOlmo ? type->olmo : type->harness;
    if (config.primary == Metric::kPmiDc && !have_bare_contexts(task.questions)) {
        log::warn(
            "{}: the primary metric is pmi_dc, but some choices have no request after a bare "
            "context; the task's usual one is taken",
            path.string());
        config.primary.reset();
    }
    task.primary = config.primary.value_or(task.primary);
    return file;
}

bool are_same(const Question& a, const Question& b) {
    return a.choices[0].context == b.choices[0].context &&
           a.choices[0].continuation == b.choices[0].continuation;
}

// The first examples of the question's subject that aren't it, each with its answer.
std::string examples_for(const Question& question, const std::vector<Question>& examples,
                         const TaskSource& source) {
    std::string text;
    int64_t found = 0;
    for (const Question& example : examples) {
        if (found == source.shots) break;
        if (example.subject != question.subject || are_same(example, question)) continue;
        const Choice& right = example.choices[static_cast<size_t>(example.gold)];
        text.append(right.context).append(right.continuation).append(kBetweenExamples);
        ++found;
    }
    if (found < source.shots)
        fail(ExitCode::kBadConfig, "{}: has {} examples for {}, {} are wanted", source.examples,
             found, question.where, source.shots);
    return text;
}

void add_examples(Task& task, const TaskSource& source) {
    std::vector<Question> examples;
    if (source.shots > 0) {
        TaskSource from = source;
        from.name = task.name;
        examples = read_file_of(source.examples, from, 0).task.questions;
        task.shots = source.shots;
    }
    for (Question& question : task.questions) {
        std::string before = examples_for(question, examples, source);
        if (task.dialect == Dialect::kHarness || source.shots > 0)
            before.insert(0, question.description);
        for (Choice& choice : question.choices) choice.context.insert(0, before);
    }
}

// Tasks of one name get that of the folder that holds the file behind it:
// "arc_challenge_5shot/val_rc_5shot".
void tell_apart(std::vector<Task>& tasks, const std::vector<fs::path>& files) {
    std::map<std::string, int> count;
    for (const Task& task : tasks) ++count[task.name];
    for (size_t i = 0; i < tasks.size(); ++i)
        if (count[tasks[i].name] > 1)
            tasks[i].name += "/" + files[i].parent_path().filename().string();
}

// Of a folder all request files in it and below, by name.
std::vector<fs::path> files_of(const fs::path& path) {
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path))
        if (entry.is_regular_file() &&
            entry.path().filename().string().starts_with("requests.jsonl"))
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty())
        fail(ExitCode::kInputMissing,
             "{}: no requests.jsonl in this folder or below; name a file of questions",
             path.string());
    return files;
}

}  // namespace

std::vector<Task> read_tasks(const TaskSource& source) {
    if ((source.shots > 0) != !source.examples.empty())
        fail(ExitCode::kBadConfig,
             "{}: {} shots, and examples {}; give the file that examples come from and how many, "
             "or neither",
             source.path, source.shots,
             source.examples.empty() ? "from nowhere" : "from " + source.examples);
    std::vector<Task> tasks;
    const std::vector<fs::path> files = files_of(source.path);
    if (files.size() > 1 && !source.name.empty())
        fail(ExitCode::kBadConfig,
             "{}: holds {} request files, which can't all be called \"{}\"; give no name",
             source.path, files.size(), source.name);
    for (const fs::path& path : files) {
        TaskFile file = read_file_of(path, source, source.limit);
        if (file.is_requests && source.shots > 0)
            fail(ExitCode::kBadConfig, "{}: these requests have their examples in them already",
                 path.string());
        if (!file.is_requests) add_examples(file.task, source);
        tasks.push_back(std::move(file.task));
    }
    tell_apart(tasks, files);
    return tasks;
}

}  // namespace polytrain
