#pragma once
// The tensors of a Hugging Face model, as ranges of a model's parameters (docs/hugging_face.md).

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_config.hpp"
#include "nn/parameter.hpp"

namespace polytrain {

// Elements [begin, begin + shape.elements()) of a parameter, under another name. The layouts agree:
// matrices are [out, in], rotary positions pair element j of a head with j + D/2 in both, and what
// PolyTrain packs in one matrix (queries, keys, values; gate, up; experts) lies one after the
// other.
struct HuggingFaceTensor {
    std::string name;
    Shape shape;
    std::string parameter;
    Shape whole;  // the parameter's shape
    int64_t begin = 0;
};

// All of the parameters, each element once, in the model's order. The routers' biases are among
// them only with `router_bias`: stock classes have none.
std::vector<HuggingFaceTensor> hugging_face_tensors(const ModelConfig& config,
                                                    const std::vector<Parameter*>& parameters,
                                                    bool router_bias);

// Whether the parameter is what moves a router's choice (model.moe.bias_rate).
bool is_router_bias(const Parameter& parameter);

}  // namespace polytrain
