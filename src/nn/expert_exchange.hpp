#pragma once

#include <vector>

#include "nn/layer.hpp"

namespace polytrain {

// Brings rows in the order of their experts to the ranks that hold these, and back. With one rank
// to a group it only makes the offsets, and rows stay where they are.
class ExpertExchange {
  public:
    ExpertExchange(std::string name, int64_t experts, int64_t top_k, int64_t width)
        : name_(std::move(name)), experts_(experts), top_k_(top_k), width_(width) {}

    void plan(const Planner& planner);

    // Rows that may arrive at most: every token of the group chooses as many of this rank's experts
    // as it can.
    int64_t most_rows() const { return most_rows_; }
    bool is_alone() const { return place_count_ == 1; }

    // How many rows go to and come from each rank of the group, as offsets in rows.
    struct Routes {
        std::vector<int64_t> sent, received;  // [ranks + 1]
        int64_t rows() const { return received.back(); }
    };
    // Exchanges the counts of rows by expert and writes offsets().
    Routes exchange_counts(const Pass& pass, const Tensor& counts_E) const;
    // The same routes in backward, from what exchange_counts() left.
    Routes routes(const Pass& pass, const Tensor& counts_E) const;

    // Of the groups of rows that arrived, i64 [ranks * local experts + 1]: by sending rank, then by
    // expert.
    Tensor offsets(const Pass& pass) const { return pass[offsets_G_]; }

    // Whole rows; bytes, so that any type will do.
    Pending to_experts(const Pass& pass, const Routes& routes, const Tensor& sent,
                       const Tensor& received) const;
    Pending to_tokens(const Pass& pass, const Routes& routes, const Tensor& received,
                      const Tensor& sent) const;

  private:
    Pending move(const Pass& pass, const std::vector<int64_t>& from_rows, const Tensor& from,
                 const std::vector<int64_t>& to_rows, const Tensor& to, const char* what) const;

    std::string name_;
    int64_t experts_, top_k_, width_;
    int64_t place_count_ = 1, most_rows_ = 0;
    TensorId offsets_G_;
};

}  // namespace polytrain
