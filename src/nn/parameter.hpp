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

// Which ranks hold a copy, and so over which its gradient is summed.
enum class Replication : uint8_t { kAllRanks };

struct Parameter {
    std::string name;  // global: "layers.3.attention.qkv"
    Shape shape;
    DType dtype = DType::kF32;
    Init init;
    DecayClass decay = DecayClass::kMatrix;
    Replication replication = Replication::kAllRanks;
    int index = -1;  // global, in the model's order

    TensorId value, gradient;  // in the model's memory plan; no gradient in inference
};

}  // namespace polytrain
