#pragma once
// What layers share. A layer has parameters(), plan(), forward() and backward(): no tape, the order
// is written down. plan() declares every tensor it will use in a MemoryPlan and keeps their ids;
// forward and backward find the memory through a Pass.

#include "nn/parameter.hpp"
#include "ops/op_table.hpp"

namespace polytrain {

// What plan() is told: where to declare, the sizes, and whom to ask how much scratch an op needs.
struct Planner {
    MemoryPlan& plan;
    const OpTable& ops;
    int64_t batch = 0, time = 0;  // sequences in a micro-batch, tokens in a sequence
    DType dtype = DType::kF32;    // of activations and matrices
    bool training = true;         // else: no gradients, no backward scratch

    int64_t rows() const { return batch * time; }
    DType acc() const { return accumulator_of(dtype); }

    TensorId saved(std::string name, Shape shape, DType type) const {
        return plan.add(std::move(name), shape, type, Life::kSaved);
    }
    TensorId scratch(std::string name, Shape shape, DType type) const {
        return plan.add(std::move(name), shape, type, Life::kScratch);
    }
    // A view without memory, to ask about an op before there is any.
    Tensor described(TensorId id) const {
        if (!id.valid()) return Tensor{};
        const MemoryPlan::Entry& entry = plan.entries()[static_cast<size_t>(id.index)];
        return {nullptr, entry.shape, entry.dtype, {}};
    }
    static Tensor described(Shape shape, DType type) { return {nullptr, shape, type, {}}; }
    // The scratch tensor that the implementation of this op will want, in the present scope.
    template <class Op>
    TensorId scratch_of(const std::string& name, const Op& op) const {
        const auto bytes = static_cast<int64_t>(ops.scratch_bytes(op));
        return scratch(name + ".scratch", {bytes}, DType::kU8);
    }
    // Declares a parameter and, in training, its gradient.
    void declare(Parameter& parameter) const;
};

// What forward and backward run on.
struct Pass {
    const OpTable& ops;
    const Arena& arena;
    const Stream& stream;

    Tensor operator[](TensorId id) const { return arena[id]; }
    template <class Op>
    void run(const Op& op) const {
        ops.run(op, stream);
    }
};

}  // namespace polytrain
