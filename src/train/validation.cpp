#include "train/validation.hpp"

#include <algorithm>
#include <cmath>

namespace polytrain {

Validation::Validation(const RunConfig& config, const DataTokenizer& tokenizer)
    : config_(config), batch_(config.train.micro_batch * config.model.context) {
    std::map<std::string, std::string> sets = config.data.validation;
    if (config.data.synthetic) sets = {{"synthetic", ""}};
    for (const auto& [name, path] : sets)
        sets_.emplace(name, std::make_unique<ValidationReader>(
                                config.data, tokenizer, path, config.seed, config.model.context,
                                config.model.vocab_size, config.train.eval_sequences));
}

std::optional<std::map<std::string, double>> Validation::losses(const TrainingSession& session,
                                                                int64_t step,
                                                                const std::function<bool()>& stop) {
    std::map<std::string, double> losses;
    for (const auto& [name, reader] : sets_) {
        double sum = 0;
        int64_t scored = 0;
        for (int64_t first = 0; first < reader->sequences(); first += config_.train.micro_batch) {
            if (stop()) return std::nullopt;
            const int64_t count = std::min(config_.train.micro_batch, reader->sequences() - first);
            reader->fill(first, count, batch_.ids.data(), batch_.targets.data());
            // Rows that the last group has too many are not scored.
            std::fill(batch_.targets.begin() + count * config_.model.context, batch_.targets.end(),
                      kNotScored);
            sum += session.loss_sum(batch_);
            scored += batch_.scored();
        }
        losses[name] = sum / static_cast<double>(scored);
        if (!std::isfinite(losses[name]))
            fail(ExitCode::kNumerics,
                 "step {}: the validation loss of {} is {}: the weights are damaged and were not "
                 "saved. Lower optimizer.lr, or lengthen optimizer.schedule.warmup_steps",
                 step, name, losses[name]);
    }
    return losses;
}

}  // namespace polytrain
