#pragma once

#include <optional>

#include "nn/linear.hpp"
#include "ops/cross_entropy.hpp"

namespace polytrain {

// The output projection fused with cross-entropy: rows go through in chunks, so that the logits of
// a whole micro-batch never exist. The chunk depends on the shapes alone.
class LossHead {
  public:
    // A matrix of its own, [vocabulary, width].
    LossHead(std::string name, int64_t vocabulary, int64_t width, Init init, double z_weight);
    // Tied: the matrix is the embedding's table, which must outlive the head.
    LossHead(const Parameter& table_VC, double z_weight) : tied_(&table_VC), z_weight_(z_weight) {}

    std::vector<Parameter*> parameters();
    void plan(const Planner& planner);

    // Cross-entropy and z-loss per token, as CrossEntropy has them.
    struct Losses {
        Tensor cross_entropy_N, z_N;
    };
    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N,
                 const Losses& losses) const;
    // The same, and with every token's loss seeded with 1 dx_NC and, added to, the matrix's
    // gradient.
    void forward_backward(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N,
                          const Losses& losses, const Tensor& dx_NC) const;
    // The least number of rows, at least `rows` of the planned ones, that forward takes: it goes by
    // whole chunks.
    int64_t whole_chunks(int64_t rows) const;
    // logits_1V of one row; planned for inference only.
    Tensor logits(const Pass& pass, const Tensor& x_1C) const;

  private:
    // The two sizes of chunk there are, with the scratch that their products want.
    struct Chunk {
        int64_t rows = 0;
        TensorId forward_scratch, input_scratch, weight_scratch;
    };
    const Parameter& weight() const { return tied_ != nullptr ? *tied_ : *own_; }
    void plan_chunk(const Planner& planner, Chunk& chunk);
    void run(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N, const Losses& losses,
             const Tensor* dx_NC) const;

    std::optional<Parameter> own_;
    const Parameter* tied_ = nullptr;
    double z_weight_;
    int64_t rows_ = 0;  // planned
    Chunk full_, last_, single_;
    TensorId logits_;
};

}  // namespace polytrain
