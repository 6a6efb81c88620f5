#pragma once
// What a model's shape says before anything runs: parameters and arithmetic.

#include <cstdint>
#include <vector>

#include "model/model_config.hpp"
#include "nn/parameter.hpp"

namespace polytrain {

struct ParameterCount {
    int64_t parameters = 0;    // matrices, embeddings and gains: as papers count
    int64_t active = 0;        // of these, what one token meets: top_k of a layer's experts
    int64_t coefficients = 0;  // learned numbers of activations, on top
};
ParameterCount count_parameters(const ModelConfig& config,
                                const std::vector<Parameter*>& parameters);

// Floating-point operations per trained token: 6 for every matrix element a token meets (of
// experts, those of top_k; the embedding is a look-up, the head is a product), and 6 layers d_model
// context for causal attention (scores and weighted sum, half of each masked, forward once and
// backward twice).
double flops_per_token(const ModelConfig& config, const std::vector<Parameter*>& parameters);

}  // namespace polytrain
