#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/question.hpp"

namespace polytrain {

// Of a question, with ll the sum of the log-probabilities of a choice's tokens, in nats; the choice
// is the first that has the highest
//   acc        ll
//   acc_norm   ll / characters of the choice; OLMo calls it len_norm
//   acc_bytes  ll / bytes of the choice
//   pmi_dc     ll / ll after the bare context
// and the right choice's
//   bpb        -ll / (bytes ln 2)
//   ce_loss    -ll / characters.
// Characters are code points; the blank that a continuation begins with doesn't count.
enum class Metric : uint8_t { kAcc, kAccNorm, kAccBytes, kPmiDc, kBpb, kCeLoss };
inline constexpr std::array kMetrics{Metric::kAcc,   Metric::kAccNorm, Metric::kAccBytes,
                                     Metric::kPmiDc, Metric::kBpb,     Metric::kCeLoss};
std::string_view name_of(Metric metric, Dialect dialect);

// What metrics ask of a choice.
struct ScoredChoice {
    int64_t characters = 0, bytes = 0;
    double log_likelihood = 0;
    std::optional<double> bare_log_likelihood = {};
};
int64_t normalising_characters(std::string_view continuation);
int64_t normalising_bytes(std::string_view continuation);

// The choice that a metric of choosing takes.
int64_t choice_by(Metric metric, std::span<const ScoredChoice> choices);

struct MetricMean {
    Metric metric = Metric::kAcc;
    double mean = 0;
    // Of the mean: the sample's standard deviation over the root of its size; none of one question.
    std::optional<double> standard_error = {};
};
// Means over questions, of at least one; pmi_dc is left out unless all choices have what it wants.
class MetricMeans {
  public:
    void add(std::span<const ScoredChoice> choices, int64_t gold);
    std::vector<MetricMean> means() const;

  private:
    std::array<std::vector<double>, kMetrics.size()> values_;
    bool has_bare_ = true;
};

}  // namespace polytrain
