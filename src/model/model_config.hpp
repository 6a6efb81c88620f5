#pragma once

#include <cstdint>
#include <string>

namespace polytrain {

struct InitConfig {
    double std = 0.02;         // of every matrix, normal
    double cut = 0;            // truncated to +-cut std; 0: not
    bool depth_scaled = true;  // residual projections get std / sqrt(2 layers)
    bool operator==(const InitConfig&) const = default;
};

struct FeedForwardConfig {
    std::string activation = "polynorm";
    int64_t order = 3;   // of polynomial activations
    bool gated = false;  // y = f(gate) * up; swiglu, geglu and reglu imply it
    int64_t hidden = 0;  // 0: 4 d_model, or 8/3 d_model rounded up to 32 when gated
    bool operator==(const FeedForwardConfig&) const = default;
};

// A decoder-only Transformer: RMSNorm before each part, rotary positions, no biases.
struct ModelConfig {
    int64_t d_model = 128;
    int64_t layers = 4;
    int64_t heads = 4;
    int64_t kv_heads = 0;          // 0: as many as heads
    int64_t context = 128;         // tokens in a sequence
    int64_t vocab_size = 0;        // 0: the tokenizer's
    std::string qk_norm = "none";  // RMSNorm of queries and keys: "none", "full", "head"
    bool tied = false;             // the head shares the embedding's matrix
    double rope_theta = 10000;
    double norm_eps = 1e-5;
    double z_loss = 0;  // weight of (log sum exp of a token's logits)^2 in what is minimised
    InitConfig init;
    FeedForwardConfig feed_forward;
    bool operator==(const ModelConfig&) const = default;
};

}  // namespace polytrain
