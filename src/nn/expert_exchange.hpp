#pragma once

#include <vector>

#include "nn/expert_waves.hpp"
#include "nn/layer.hpp"

namespace polytrain {

// Brings rows in the order of their experts to the ranks that hold these, and back. With one rank
// to a group it only makes the offsets, and rows stay where they are.
class ExpertExchange {
  public:
    ExpertExchange(std::string name, int64_t experts, int64_t top_k, int64_t width)
        : name_(std::move(name)), experts_(experts), top_k_(top_k), width_(width) {}

    void plan(const Planner& planner);

    // Rows that there is room for at once: all that may arrive, every token of the group choosing
    // as many of this rank's experts as it can, or fewer by parallel.expert_rows.
    int64_t most_rows() const { return most_rows_; }
    bool is_alone() const { return place_count_ == 1; }

    // Exchanges the counts of rows by expert. What it answers stays until it is called again; the
    // device is waited for once.
    const std::vector<ExpertWave>& exchange_counts(const Pass& pass, const Tensor& counts_E);
    // What it answered last.
    const std::vector<ExpertWave>& waves() const { return waves_; }

    // The groups of a wave's rows (ops/grouped_linear.hpp): by sending rank, then by expert.
    ExpertGroups groups(const Pass& pass, const ExpertWave& wave) const;

    // A wave's rows; bytes, so that any type will do.
    Pending to_experts(const Pass& pass, const ExpertWave& wave, const Tensor& sent,
                       const Tensor& received) const;
    Pending to_tokens(const Pass& pass, const ExpertWave& wave, const Tensor& received,
                      const Tensor& sent) const;

  private:
    Pending move(const Pass& pass, const std::vector<Range>& from_rows, const Tensor& from,
                 const std::vector<Range>& to_rows, const Tensor& to, const char* what) const;

    std::string name_;
    int64_t experts_, top_k_, width_;
    int64_t place_count_ = 1, most_rows_ = 0;
    TensorId offsets_G_;
    std::vector<ExpertWave> waves_;
};

}  // namespace polytrain
