#pragma once
// The parameter record. Optimizer, clipping, checkpoints and export read this and nothing else.

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/memory_plan.hpp"

namespace polytrain {

enum class InitKind : uint8_t {
    kNormal,  // N(0, std^2), within `cut` std if cut > 0, keyed by parameter's name and element
    kValues,  // `values`, or one value for all elements
};

struct Init {
    InitKind kind = InitKind::kNormal;
    double std = 0, cut = 0;
    std::vector<double> values;

    static Init normal(double std, double cut) { return {InitKind::kNormal, std, cut, {}}; }
    static Init constant(double value) { return {InitKind::kValues, 0, 0, {value}}; }
    static Init listed(std::vector<double> values) {
        return {InitKind::kValues, 0, 0, std::move(values)};
    }
};

// What weight decay does to a parameter.
enum class DecayClass : uint8_t { kMatrix, kEmbedding, kGain, kCoefficient };
// "matrix", "embedding", "gain", "coefficient".
std::string_view name_of(DecayClass decay);

// Which ranks hold a copy, and so over which its gradient is summed: all; or, of a parameter whose
// first dimension is the experts, those that hold the same range of them.
enum class Replication : uint8_t { kAllRanks, kExperts };

struct Parameter {
    std::string name;  // global: "layers.3.attention.qkv"
    Shape shape;       // of the whole
    DType dtype = DType::kF32;
    Init init;
    DecayClass decay = DecayClass::kMatrix;
    Replication replication = Replication::kAllRanks;
    bool learned = true;  // else a state that is saved, but has no gradient
    int index = -1;       // global, in the model's order

    // Of this rank, set when it is declared to a memory plan: the part it holds and the element of
    // the whole that this part begins at.
    Shape local_shape;
    int64_t first = 0;
    // Sums that the gradient keeps apart, [sources * local_shape[0], ...]: with exact reduction one
    // for each rank that sends rows to these experts.
    int64_t sources = 1;
    TensorId value, gradient;  // no gradient in inference

    bool is_experts() const { return replication == Replication::kExperts; }
    // What is whole on one rank: an expert's part, or all of it. In elements.
    int64_t unit() const { return is_experts() ? shape.elements() / shape[0] : shape.elements(); }
};

}  // namespace polytrain
