#include "train/metrics.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "eval/task_report.hpp"

namespace polytrain {
namespace {

// The lines of steps up to `last_step`; a torn last line of a killed run goes.
std::string kept_lines(const std::string& text, int64_t last_step) {
    std::istringstream lines(text);
    std::string kept;
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line, nullptr, false);
        if (json.is_object() && json.contains("step") && json["step"].is_number_integer() &&
            json["step"].get<int64_t>() <= last_step)
            kept += line + "\n";
    }
    return kept;
}

// Leaves these alone in the file, where there is one.
const std::filesystem::path& keep_lines(const std::filesystem::path& path, int64_t last_step) {
    if (std::filesystem::is_regular_file(path))
        write_file_atomic(path, kept_lines(read_file(path), last_step));
    return path;
}

// Figures of each layer, in their order; the counts of every expert only beside an evaluation.
void put_loads(nlohmann::ordered_json& line, const StepMetrics& metrics) {
    if (metrics.loads.empty()) return;
    line["balance_loss"] = metrics.balance_loss;
    line["router_z_loss"] = metrics.router_z_loss;
    nlohmann::ordered_json& moe = line["moe"];
    for (const RouterLoad& load : metrics.loads) {
        moe["highest_load"].push_back(load.highest());
        moe["entropy"].push_back(load.entropy);
        if (!metrics.validation.empty()) moe["counts"].push_back(load.counts);
    }
    moe["dropped_tokens"] = 0;  // none ever is
}

void put_evaluation(nlohmann::ordered_json& line, const StepMetrics& metrics) {
    if (const auto val_loss = metrics.val_loss()) line["val_loss"] = *val_loss;
    if (metrics.validation.size() > 1) line["val_losses"] = metrics.validation;
    if (!metrics.tasks.empty()) line["tasks"] = tasks_as_json(metrics.tasks);
    for (const auto& [name, values] : metrics.coefficients) line["coefficients"][name] = values;
}

}  // namespace

void add_last_evaluation(const std::filesystem::path& path, int64_t step,
                         const std::function<bool(StepMetrics&)>& evaluate) {
    if (!std::filesystem::is_regular_file(path)) return;
    std::string text = kept_lines(read_file(path), step);
    const size_t newline = text.size() < 2 ? std::string::npos : text.rfind('\n', text.size() - 2);
    const size_t begin = newline == std::string::npos ? 0 : newline + 1;
    auto line = nlohmann::ordered_json::parse(text.substr(begin), nullptr, false);
    if (!line.is_object() || line["step"] != step || line.contains("val_loss") ||
        line.contains("tasks"))
        return;
    StepMetrics metrics;
    if (!evaluate(metrics) || (metrics.validation.empty() && metrics.tasks.empty())) return;
    put_evaluation(line, metrics);
    write_file_atomic(path, text.substr(0, begin) + line.dump() + "\n");
}

std::optional<double> StepMetrics::val_loss() const {
    if (validation.empty()) return std::nullopt;
    double sum = 0;
    for (const auto& [name, set_loss] : validation) sum += set_loss;
    return sum / static_cast<double>(validation.size());
}

MetricsFile::MetricsFile(std::filesystem::path path, int64_t last_step)
    : path_(std::move(path)), out_(keep_lines(path_, last_step)) {}

void MetricsFile::append(const StepMetrics& metrics) {
    nlohmann::ordered_json line{{"step", metrics.step}, {"tokens", metrics.tokens},
                                {"loss", metrics.loss}, {"grad_norm", metrics.grad_norm},
                                {"lr", metrics.lr},     {"tokens_per_s", metrics.tokens_per_s},
                                {"mfu", metrics.mfu},   {"data_wait_s", metrics.data_wait_s}};
    if (metrics.z_loss) line["z_loss"] = *metrics.z_loss;
    if (metrics.skipped) line["skipped"] = true;
    if (metrics.filtered_sequences) line["filtered_sequences"] = *metrics.filtered_sequences;
    put_loads(line, metrics);
    put_evaluation(line, metrics);
    if (!out_.append(line.dump() + "\n") && !std::exchange(warned_, true))
        log::warn("{}: cannot write: {}; training goes on, lines are lost", path_.string(),
                  errno_text(errno));
}

}  // namespace polytrain
