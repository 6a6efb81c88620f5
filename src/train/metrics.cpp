#include "train/metrics.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

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

}  // namespace

std::optional<double> StepMetrics::val_loss() const {
    if (validation.empty()) return std::nullopt;
    double sum = 0;
    for (const auto& [name, set_loss] : validation) sum += set_loss;
    return sum / static_cast<double>(validation.size());
}

MetricsFile::MetricsFile(std::filesystem::path path, int64_t last_step) : path_(std::move(path)) {
    if (std::filesystem::is_regular_file(path_))
        write_file_atomic(path_, kept_lines(read_file(path_), last_step));
    out_.open(path_, std::ios::app);
    if (!out_) fail(ExitCode::kCannotWrite, "{}: cannot open for writing", path_.string());
}

void MetricsFile::append(const StepMetrics& metrics) {
    nlohmann::ordered_json line{{"step", metrics.step},
                                {"tokens", metrics.tokens},
                                {"loss", metrics.loss},
                                {"grad_norm", metrics.grad_norm},
                                {"lr", metrics.lr},
                                {"tokens_per_s", metrics.tokens_per_s},
                                {"data_wait_s", metrics.data_wait_s}};
    if (metrics.skipped) line["skipped"] = true;
    if (metrics.filtered_sequences) line["filtered_sequences"] = *metrics.filtered_sequences;
    if (const auto val_loss = metrics.val_loss()) line["val_loss"] = *val_loss;
    if (metrics.validation.size() > 1) line["val_losses"] = metrics.validation;
    out_ << line.dump() << '\n' << std::flush;
    if (!out_ && !warned_) {
        log::warn("{}: cannot write; training goes on without metrics", path_.string());
        warned_ = true;
    }
}

}  // namespace polytrain
