#include "train/validation.hpp"

#include <algorithm>
#include <cmath>

namespace polytrain {

Validation::Validation(const RunConfig& config, const DataTokenizer& tokenizer)
    : config_(config), batch_(config.train.micro_batch * config.model.context) {
    std::map<std::string, std::string> sets = config.data.validation;
    if (config.data.synthetic) sets = {{"synthetic", ""}};
    for (const auto& [name, path] : sets)
        sets_.emplace(name,
                      std::make_unique<ValidationReader>(
                          SourceConfig{.path = path}, tokenizer, config.seed, config.model.context,
                          config.model.vocab_size, config.train.eval_sequences));
}

void Validation::fill(const ValidationReader& reader, int64_t first) {
    const int64_t count =
        std::clamp<int64_t>(reader.sequences() - first, 0, config_.train.micro_batch);
    std::fill(batch_.ids.begin(), batch_.ids.end(), 0);
    std::fill(batch_.targets.begin(), batch_.targets.end(), kNotScored);
    if (count > 0) reader.fill(first, count, batch_.ids.data(), batch_.targets.data());
}

std::optional<std::map<std::string, double>> Validation::losses(const TrainingSession& session,
                                                                const Grid& grid, int64_t step,
                                                                const std::function<bool()>& stop) {
    std::map<std::string, double> losses;
    const int64_t ranks = grid.layout().ranks, rank = grid.layout().rank;
    const int64_t micro_batch = config_.train.micro_batch;
    for (const auto& [name, reader] : sets_) {
        // Sum and count of every micro-batch, in their order whoever makes them. All ranks make as
        // many, since they may share experts.
        std::vector<double> table;
        for (int64_t first = 0; first < reader->sequences(); first += ranks * micro_batch) {
            if (stop()) return std::nullopt;
            fill(*reader, first + rank * micro_batch);
            const size_t row = table.size();
            table.resize(row + 2 * static_cast<size_t>(ranks), 0.0);
            double* own = &table[row + 2 * static_cast<size_t>(rank)];
            own[0] = session.loss_sum(batch_);
            own[1] = static_cast<double>(batch_.scored());
        }
        grid.all()
            .all_reduce({table.data(), {static_cast<int64_t>(table.size())}, DType::kF64, {}},
                        Reduce::kSum, "validation losses")
            .wait();
        double sum = 0, scored = 0;
        for (size_t i = 0; i < table.size(); i += 2) {
            sum += table[i];
            scored += table[i + 1];
        }
        losses[name] = sum / scored;
        if (!std::isfinite(losses[name]))
            fail(ExitCode::kNumerics,
                 "step {}: the validation loss of {} is {}: the weights are damaged and were not "
                 "saved. Lower optimizer.lr, or lengthen optimizer.schedule.warmup_steps",
                 step, name, losses[name]);
    }
    return losses;
}

}  // namespace polytrain
