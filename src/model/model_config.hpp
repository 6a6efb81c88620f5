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

// A mixture of experts in place of each layer's feed-forward part (docs/moe.md has the formulas).
struct MoeConfig {
    int64_t experts = 0;  // 0: none, the model is dense
    int64_t top_k = 2;
    int64_t hidden = 0;                  // of one expert; 0: feed_forward.hidden
    int64_t shared_hidden = 0;           // of a part that every token passes besides; 0: none
    std::string coefficients = "layer";  // one set for the "layer", or for each "expert"
    bool renormalise = false;            // the chosen experts' weights sum to 1
    double balance = 0.01;               // weight of the load-balancing loss
    double z_loss = 0.001;               // weight of the router's z-loss
    std::string loss_form = "textbook";  // "textbook", "olmoe"
    std::string scope = "micro";         // of the load: "micro", "micro_dp", "global"
    double bias_rate = 0;                // of the auxiliary-loss-free balancing; 0: none
    bool operator==(const MoeConfig&) const = default;
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
    MoeConfig moe;
    bool operator==(const ModelConfig&) const = default;
};

}  // namespace polytrain
