#include "eval/task_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "eval/task_text.hpp"

namespace polytrain {
namespace {

std::string_view without_blank(std::string_view continuation) {
    if (continuation.starts_with(' ')) continuation.remove_prefix(1);
    return continuation;
}

double score_by(Metric metric, const ScoredChoice& choice) {
    switch (metric) {
        case Metric::kAccNorm:
            return choice.log_likelihood / static_cast<double>(choice.characters);
        case Metric::kAccBytes:
            return choice.log_likelihood / static_cast<double>(choice.bytes);
        case Metric::kPmiDc:
            return choice.log_likelihood / choice.bare_log_likelihood.value();
        default:
            return choice.log_likelihood;
    }
}

double value_of(Metric metric, std::span<const ScoredChoice> choices, int64_t gold) {
    const ScoredChoice& right = choices[static_cast<size_t>(gold)];
    if (metric == Metric::kBpb)
        return -right.log_likelihood / static_cast<double>(right.bytes) / std::numbers::ln2;
    if (metric == Metric::kCeLoss)
        return -right.log_likelihood / static_cast<double>(right.characters);
    return choice_by(metric, choices) == gold ? 1 : 0;
}

MetricMean mean_of(Metric metric, const std::vector<double>& values) {
    const auto count = static_cast<double>(values.size());
    double sum = 0, squares = 0;
    for (const double value : values) sum += value;
    MetricMean result{metric, sum / count};
    for (const double value : values) squares += (value - result.mean) * (value - result.mean);
    if (count > 1) result.standard_error = std::sqrt(squares / (count - 1) / count);
    return result;
}

}  // namespace

std::string_view name_of(Metric metric, Dialect dialect) {
    switch (metric) {
        case Metric::kAcc:
            return "acc";
        case Metric::kAccNorm:
            return dialect == Dialect::kHarness ? "acc_norm" : "len_norm";
        case Metric::kAccBytes:
            return "acc_bytes";
        case Metric::kPmiDc:
            return "pmi_dc";
        case Metric::kBpb:
            return "bpb";
        case Metric::kCeLoss:
            return "ce_loss";
    }
    return "?";
}

int64_t normalising_characters(std::string_view continuation) {
    return code_points(without_blank(continuation));
}

int64_t normalising_bytes(std::string_view continuation) {
    return std::ssize(without_blank(continuation));
}

int64_t choice_by(Metric metric, std::span<const ScoredChoice> choices) {
    const auto less = [&](const ScoredChoice& a, const ScoredChoice& b) {
        return score_by(metric, a) < score_by(metric, b);
    };
    return std::max_element(choices.begin(), choices.end(), less) - choices.begin();
}

void MetricMeans::add(std::span<const ScoredChoice> choices, int64_t gold) {
    for (const ScoredChoice& choice : choices)
        has_bare_ = has_bare_ && choice.bare_log_likelihood.has_value();
    for (const Metric metric : kMetrics)
        if (metric != Metric::kPmiDc || has_bare_)
            values_[static_cast<size_t>(metric)].push_back(value_of(metric, choices, gold));
}

std::vector<MetricMean> MetricMeans::means() const {
    std::vector<MetricMean> all;
    for (const Metric metric : kMetrics)
        if (metric != Metric::kPmiDc || has_bare_)
            all.push_back(mean_of(metric, values_[static_cast<size_t>(metric)]));
    return all;
}

}  // namespace polytrain
