#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "data/host_batch.hpp"

namespace polytrain {

// The sum over a batch's scored targets of their losses in nats.
using LossSum = std::function<double(const HostBatch&)>;

// The loss of a model over a stream of tokens, cut into windows of `context` tokens that don't
// overlap: window w predicts tokens w context + 1 to w context + context of the stream, so that
// every token but the first is scored exactly once. The windows are those of training and of its
// evaluations; the last may be shorter.
class StreamLoss {
  public:
    // Batches of `sequences` windows go to `loss_sum`.
    StreamLoss(int64_t context, int64_t sequences, LossSum loss_sum);

    // The stream's next tokens.
    void add(std::span<const int32_t> ids);
    // The stream ends here.
    void finish();

    int64_t tokens() const { return tokens_; }  // all of the stream so far
    int64_t scored() const { return scored_; }
    double sum() const { return sum_; }

  private:
    void run();

    LossSum loss_sum_;
    HostBatch batch_;
    int64_t filled_ = 0;  // places of the batch whose target is known
    int32_t last_ = 0;    // token of the stream, which is the next place's id
    int64_t tokens_ = 0, scored_ = 0;
    double sum_ = 0;
};

}  // namespace polytrain
