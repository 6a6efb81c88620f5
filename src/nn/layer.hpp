#pragma once
// What layers share. A layer has parameters(), plan(), forward() and backward(): no tape, the order
// is written down. plan() declares every tensor it will use in a MemoryPlan and keeps their ids;
// forward and backward find the memory through a Pass.

#include <algorithm>
#include <span>

#include "comm/tensor_groups.hpp"
#include "nn/parameter.hpp"
#include "ops/op_table.hpp"

namespace polytrain {

// What backward computes again in place of keeping it: nothing; the activation's output; all of a
// block but its input. The bits are the same.
enum class Recompute : uint8_t { kNone, kActivation, kBlock };

// What plan() is told: where to declare, the sizes, and whom to ask how much scratch an op needs.
struct Planner {
    MemoryPlan& plan;
    const OpTable& ops;
    int64_t batch = 0, time = 0;  // sequences in a micro-batch, tokens in a sequence
    DType dtype = DType::kF32;    // of activations and matrices
    bool training = true;         // else: no gradients, no backward scratch
    Recompute recompute = Recompute::kNone;
    int64_t cache = 0;     // inference: keys and values of this many tokens are kept; 0: none
    bool borrows = false;  // inference: parameters lie in another plan's arena
    Layout layout = {};
    int64_t step_rows = 0;  // tokens of a step, over all ranks
    // Gradients must not depend on the layout: what other ranks' rows add is kept apart by rank
    // (parallel.reduction "exact").
    bool exact = false;
    // Rows that experts work on at once, over all ranks' tokens; 0: all that may come.
    int64_t expert_rows = 0;
    // Gradients of a block are read before backward goes on to the next, which may then use their
    // memory (parallel.sharding 2).
    bool shares_gradients = false;
    // Inference: what a backward would read is there after the pass, to be looked at.
    bool keeps_activations = false;

    int64_t rows() const { return batch * time; }
    DType acc() const { return accumulator_of(dtype); }

    TensorId saved(std::string name, Shape shape, DType type) const {
        return plan.add(std::move(name), shape, type, Life::kSaved);
    }
    TensorId scratch(std::string name, Shape shape, DType type) const {
        return plan.add(std::move(name), shape, type, Life::kScratch);
    }
    // A tensor that a block's backward reads: saved, or where blocks are recomputed (and in
    // inference, which has no backward) memory that all blocks share.
    TensorId saved_in_block(std::string name, Shape shape, DType type) const {
        const bool stays = training ? recompute != Recompute::kBlock : keeps_activations;
        return stays ? saved(std::move(name), shape, type) : scratch(std::move(name), shape, type);
    }
    // A view without memory, to ask about an op before there is any.
    Tensor described(TensorId id) const {
        if (!id.valid()) return Tensor{};
        const MemoryPlan::Entry& entry = plan.entries()[static_cast<size_t>(id.index)];
        return {nullptr, entry.shape, entry.dtype, {}};
    }
    static Tensor described(Shape shape, DType type) { return {nullptr, shape, type, {}}; }
    // The scratch tensor that the implementation of this op will want, in the present scope; of
    // several ops, for any of them.
    template <class... Ops>
    TensorId scratch_of(const std::string& name, const Ops&... op) const {
        const auto bytes = static_cast<int64_t>(std::max({ops.scratch_bytes(op)...}));
        return scratch(name + ".scratch", {bytes}, DType::kU8);
    }
    // Declares this rank's part of a parameter and, in training, its gradient.
    void declare(Parameter& parameter) const;
};

// Rows [begin, end) of a pass are the tokens of a sequence from `position` on; the tokens before
// are those that the cache of keys and values holds there.
struct Segment {
    int64_t begin = 0, end = 0, position = 0;
};

// What forward and backward run on.
struct Pass {
    const OpTable& ops;
    const Arena& arena;
    const Stream& stream;
    // Decoding: how many of the planned rows are in use, 0 for all, and how many tokens the caches
    // of keys and values hold already.
    int64_t rows = 0, position = 0;
    // Absent: one rank. The groups are the grid's for tensors.
    const Grid* grid = nullptr;
    const TensorGroups* groups = nullptr;
    // Scored over routed tokens of the whole step: what auxiliary losses are seeded with, so that
    // the division by the scored tokens leaves one by the routed.
    double auxiliary_seed = 1;
    // Inference over sequences that share tokens: segments side by side from row 0 on, each
    // appended to the cache at its position, which leaves the cache's later tokens to the next.
    // Rows behind the last segment are not attended for. Empty: the rows in use are one segment.
    std::span<const Segment> segments = {};

    Tensor operator[](TensorId id) const { return arena[id]; }
    // The rows in use of a tensor of activations.
    Tensor in_use(TensorId id) const {
        const Tensor tensor = arena[id];
        return rows == 0 || !tensor.present() ? tensor : tensor.rows(0, rows);
    }
    template <class Op>
    void run(const Op& op) const {
        ops.run(op, stream);
    }
};

}  // namespace polytrain
