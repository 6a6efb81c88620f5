#include "eval/request_file.hpp"

#include <utility>

#include "core/file.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFirstBareDocument = 1000000;

std::optional<Metric> metric_of(const std::string& name) {
    if (name == "acc_raw") return Metric::kAcc;
    if (name == "acc_per_char") return Metric::kAccNorm;
    if (name == "acc_per_byte") return Metric::kAccBytes;
    if (name == "acc_uncond") return Metric::kPmiDc;
    return std::nullopt;
}

}  // namespace

void RequestReader::add(const TaskLine& line) {
    if (line.has("request_type") && line.text("request_type") != "loglikelihood")
        line.refuse("\"request_type\" is \"{}\"; only \"loglikelihood\" has choices to score",
                    line.text("request_type"));
    const int64_t document = line.whole("doc_id"), index = line.whole("idx");
    const bool is_bare = document >= kFirstBareDocument;
    Parts& parts = parts_[is_bare ? document - kFirstBareDocument : document];
    Question& question = parts.question;
    const bool is_new = (is_bare ? parts.bare : parts.choices)
                            .try_emplace(index, Choice{line.text("request.context"),
                                                       line.text("request.continuation")})
                            .second;
    if (!is_new) line.refuse("choice {} of document {} comes a second time", index, document);
    if (order_.empty() && line.has("task_name")) task_name_ = line.text("task_name");
    if (is_bare) return;
    const int64_t gold = line.whole("label");
    if (parts.choices.size() == 1) {
        order_.push_back(document);
        question.gold = gold;
        question.where = line.where();
        question.id = line.id({"native_id", "doc_id"});
    } else if (question.gold != gold) {
        line.refuse("\"label\" is {}, but {} in {}", gold, question.gold, question.where);
    }
}

std::vector<Question> RequestReader::take() {
    std::vector<Question> questions;
    for (const int64_t document : order_) {
        Parts& parts = parts_.at(document);
        Question& question = parts.question;
        for (auto& [index, choice] : parts.choices) {
            if (index != std::ssize(question.choices))
                fail(ExitCode::kCorrupt, "{}: choice {} of document {} is missing", question.where,
                     question.choices.size(), document);
            const auto bare = parts.bare.find(index);
            if (bare != parts.bare.end() && bare->second.continuation == choice.continuation)
                choice.bare_context = bare->second.context;
            question.choices.push_back(std::move(choice));
        }
        questions.push_back(std::move(question));
    }
    return questions;
}

RequestConfig read_request_config(const fs::path& requests) {
    const fs::path path = requests.parent_path() / "config.json";
    if (!fs::exists(path)) return {};
    const TaskLine config(read_file(path), path.string());
    RequestConfig result;
    if (config.has("task_config.num_shots")) result.shots = config.whole("task_config.num_shots");
    if (!config.has("task_config.primary_metric")) return result;
    const std::string& name = config.text("task_config.primary_metric");
    result.primary = metric_of(name);
    if (!result.primary)
        log::warn("{}: the primary metric \"{}\" isn't known; the task's usual one is taken",
                  path.string(), name);
    return result;
}

}  // namespace polytrain
