#pragma once
// config.json of a Hugging Face model, from and to a ModelConfig (docs/hugging_face.md).

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "model/model_config.hpp"
#include "ops/activation.hpp"
#include "tensor/dtype.hpp"

namespace polytrain {

// What a config.json says.
struct HuggingFaceModel {
    ModelConfig model;
    // The routers' biases are among the tensors.
    bool router_bias = false;
    // Coefficients as the PolyCom authors released them (model_type "polyllama").
    bool released = false;
    // Texts are bytes: there is no tokenizer.json.
    bool byte_tokens = false;
};

// Ids that a tokenizer puts before and after texts.
struct TextEnds {
    std::optional<int32_t> begin, end;
};

// The class of `transformers` that computes what the model does, "LlamaForCausalLM" or
// "OlmoeForCausalLM"; or why there is none.
struct StockClass {
    std::string name, why_none;
    bool exists() const { return why_none.empty(); }
};
StockClass stock_class(const HuggingFaceModel& model);

// Where there is no stock class: architecture "PolyTrainForCausalLM", model_type "polytrain", which
// `transformers` refuses to load, the same keys, and an object "polytrain" with the rest.
nlohmann::ordered_json hugging_face_config(const HuggingFaceModel& model, DType dtype,
                                           const TextEnds& ends);

// Reads a config.json. `activation`, if not empty, is what the feed-forward parts of model_type
// "polyllama" have, whatever the file says. Missing: exit 66; not JSON: exit 65; an architecture,
// or a setting of it, that the model can't express, or no `activation` where there must be one:
// exit 78 with the key. Sizes are checked for their types alone: a RunConfig's ranges come later.
HuggingFaceModel read_hugging_face_config(const std::filesystem::path& path,
                                          const std::string& activation,
                                          const ActivationCatalog& catalog);

}  // namespace polytrain
