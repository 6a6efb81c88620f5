#pragma once
// Sums gradients over ranks, bucket by bucket as backward completes them, beside the rest of it.
//
// A bucket's gradients of one replication go in one parcel: all_to_all brings every rank the terms
// of its shards, which it adds as a balanced binary tree over the ranks, lower ranks first. Dense
// gradients are summed over all ranks, those of experts over the ranks that hold the same ones.
//
// parallel.reduction "exact" makes the sum over a step's logical micro-batches one binary tree,
// whatever the number of ranks: rank r works on micro-batches r, W + r, 2 W + r, ..., so the tree's
// lowest levels join ranks (first those of an expert group, whose terms lie side by side as a
// gradient's sources), and the levels above join a shard's sums of one round after another.

#include <array>
#include <vector>

#include "optim/shard.hpp"

namespace polytrain {

enum class Sharding : uint8_t { kNone, kState, kStateAndGradients };

class GradientReducer {
  public:
    using Buckets = std::vector<std::vector<const Parameter*>>;

    // `rounds`: the micro-batches that a rank works on in a step.
    GradientReducer(Buckets buckets, Sharding sharding, int64_t rounds);

    // After the parameters were declared.
    void plan(const Planner& planner);

    // A step is: begin_step, then for each micro-batch begin_round, begin_bucket before backward
    // comes to a bucket and bucket_ready when its gradients are complete, then end_step: after it
    // own_sum() is the gradient of the step.
    void begin_step(const Pass& pass);
    void begin_round(const Pass& pass);
    void begin_bucket(const Pass& pass, size_t bucket);
    void bucket_ready(const Pass& pass, size_t bucket);
    void end_step(const Pass& pass);
    // In place of a round's three where they would queue nothing; false where not, and it is yet
    // to be begun.
    bool pass_round();

    // Of a parameter, this rank's shard of the sum; flat.
    Tensor own_sum(const Pass& pass, const Parameter& parameter) const;
    // Brings every rank the whole sums, into the gradients themselves.
    void share_sums(const Pass& pass);
    // Brings every rank the values of all shards, each from its owner.
    void share_values(const Pass& pass);

    // What this rank sends to others in a step, in bytes: terms of sums, and results.
    struct Traffic {
        int64_t reduce = 0, share = 0;
    };
    Traffic traffic() const;

  private:
    // The gradients, or values, of one bucket and one replication, on their way.
    struct Parcel {
        std::vector<const Parameter*> parameters;
        int ranks = 1, own = 0;
        bool is_experts = false;
        // Where each rank's shards begin when they are packed, in bytes, [ranks + 1]: of
        // gradients, of values.
        std::vector<int64_t> sizes, value_sizes;

        int64_t own_bytes() const {
            return sizes[static_cast<size_t>(own) + 1] - sizes[static_cast<size_t>(own)];
        }
    };
    struct Slot {
        TensorId sent, received;
        Pending pending;
        const Parcel* parcel = nullptr;  // on its way; null: free
    };
    using Of = TensorId Parameter::*;

    static std::vector<int64_t> byte_offsets(const Parcel& parcel, Of of, const MemoryPlan& plan);
    // Calls f(parameter, shard) for the shards of one rank.
    template <class F>
    static void for_each_shard(const Parcel& parcel, int rank, F&& f);
    Communicator& group(const Pass& pass, const Parcel& parcel) const;
    bool is_last_round() const { return round_ + 1 >= rounds_; }
    void zero(const Pass& pass, size_t bucket) const;
    void reduce(const Pass& pass, size_t bucket);
    void send(const Pass& pass, const Parcel& parcel);
    void receive(const Pass& pass, Slot& slot);
    void take_sum(const Pass& pass, const Parameter& parameter, const Tensor& sum) const;
    void share(const Pass& pass, Of of, const char* label);

    Buckets buckets_;
    Sharding sharding_;
    int64_t rounds_, round_ = 0;
    bool exact_ = false, each_round_ = false;
    Layout layout_;
    std::vector<std::vector<Parcel>> parcels_;  // by bucket
    std::array<Slot, 2> slots_;                 // one is filled while the other travels
    size_t next_slot_ = 0;
    std::vector<std::vector<TensorId>> sums_;  // by parameter index: levels of the tree
};

}  // namespace polytrain
