#include "config/bind.hpp"
#include "config/tables.hpp"

namespace polytrain::config {
namespace {

// Bounds that no machine comes near, and within which products of sizes stay within 64 bits.
constexpr double kMaxWidth = 1 << 20;
constexpr double kMaxHidden = 8 * kMaxWidth;
constexpr double kMaxExperts = 65536;
constexpr double kMaxTokenIds = 2147483647;  // ids are 32 bit

ConfigKey init_table() {
    const auto init = [](auto& config, size_t) -> auto& {
        return config.model.init;
    };
    return {.name = "init",
            .doc = "How weights begin.",
            .keys = {
                bind(init, &InitConfig::std,
                     {.name = "std",
                      .doc = "Standard deviation of every matrix's normal distribution.",
                      .range = between(1e-12, 1000)}),
                bind(init, &InitConfig::cut,
                     {.name = "cut",
                      .doc = "Truncates it at so many standard deviations; 0: not.",
                      .range = between(0, 100)}),
                bind(init, &InitConfig::depth_scaled,
                     {.name = "depth_scaled",
                      .doc = "Residual projections get std / sqrt(2 layers) instead."}),
            }};
}

ConfigKey feed_forward_table(const ActivationCatalog& catalog) {
    const auto feed_forward = [](auto& config, size_t) -> auto& {
        return config.model.feed_forward;
    };
    return {
        .name = "feed_forward",
        .doc = "The feed-forward part of each layer.",
        .keys = {
            bind(feed_forward, &FeedForwardConfig::activation,
                 {.name = "activation",
                  .doc = "The activation f; swiglu, geglu and reglu are gated silu, gelu and relu.",
                  .choices = catalog.names()}),
            bind(feed_forward, &FeedForwardConfig::order,
                 {.name = "order",
                  .doc = "Highest power of a polynomial activation; others have none.",
                  .range = between(1, 8)}),
            bind(feed_forward, &FeedForwardConfig::gated,
                 {.name = "gated",
                  .doc = "f(gate) * up in place of f(x); swiglu, geglu and reglu imply it."}),
            bind(feed_forward, &FeedForwardConfig::hidden,
                 {.name = "hidden",
                  .doc = "Width; 0: 4 d_model, or 8/3 d_model rounded up to 32 when gated.",
                  .range = between(0, kMaxHidden)}),
        }};
}

ConfigKey moe_table() {
    const auto moe = [](auto& config, size_t) -> auto& {
        return config.model.moe;
    };
    return {
        .name = "moe",
        .doc =
            "A mixture of experts in place of each layer's feed-forward part; dropless. Each "
            "expert has the activation of feed_forward. docs/moe.md has the formulas.",
        .keys = {
            bind(moe, &MoeConfig::experts,
                 {.name = "experts",
                  .doc = "Experts of a layer; 0: none, the model is dense.",
                  .range = between(0, kMaxExperts)}),
            bind(moe, &MoeConfig::top_k,
                 {.name = "top_k",
                  .doc = "How many of them a token goes through.",
                  .range = between(1, kMaxExperts)}),
            bind(moe, &MoeConfig::hidden,
                 {.name = "hidden",
                  .doc = "Width of one expert; 0: feed_forward.hidden.",
                  .range = between(0, kMaxHidden)}),
            bind(moe, &MoeConfig::shared_hidden,
                 {.name = "shared_hidden",
                  .doc = "Width of a feed-forward part that every token passes besides; 0: none.",
                  .range = between(0, kMaxHidden)}),
            bind(moe, &MoeConfig::coefficients,
                 {.name = "coefficients",
                  .doc = "Learned numbers of the activation: one set for the layer's experts, or "
                         "one for each.",
                  .choices = {"layer", "expert"}}),
            bind(moe, &MoeConfig::renormalise,
                 {.name = "renormalise",
                  .doc = "Divide the weights of a token's experts by their sum."}),
            bind(moe, &MoeConfig::balance,
                 {.name = "balance",
                  .doc = "Weight of the load-balancing loss; 0: none. Reported apart from the "
                         "loss.",
                  .range = at_least(0)}),
            bind(moe, &MoeConfig::z_loss,
                 {.name = "z_loss",
                  .doc = "Weight of the router's z-loss, the mean square of log sum exp of its "
                         "logits; 0: none. Reported apart from the loss.",
                  .range = at_least(0)}),
            bind(moe, &MoeConfig::loss_form,
                 {.name = "loss_form",
                  .doc = "How layers add up in these two: textbook sums them; olmoe takes their "
                         "mean, and divides the z-loss by top_k besides.",
                  .choices = {"textbook", "olmoe"}}),
            bind(moe, &MoeConfig::scope,
                 {.name = "scope",
                  .doc = "Over which tokens the load is counted: of a micro-batch, of the "
                         "micro-batches that all ranks work on at one time, or of the whole step.",
                  .choices = {"micro", "micro_dp", "global"}}),
            bind(moe, &MoeConfig::bias_rate,
                 {.name = "bias_rate",
                  .doc = "Balancing without a loss: after each step the bias by which an expert "
                         "is chosen goes up or down by this; 0: none.",
                  .range = between(0, 1)}),
        }};
}

}  // namespace

ConfigKey model_table(const ActivationCatalog& catalog) {
    const auto model = [](auto& config, size_t) -> auto& {
        return config.model;
    };
    return {.name = "model",
            .doc = "The network: a decoder-only Transformer.",
            .keys = {
                bind(model, &ModelConfig::d_model,
                     {.name = "d_model",
                      .doc = "Width of the residual stream.",
                      .range = between(1, kMaxWidth)}),
                bind(model, &ModelConfig::layers,
                     {.name = "layers",
                      .doc = "Layers, each of attention and feed-forward.",
                      .range = between(1, 65536)}),
                bind(model, &ModelConfig::heads,
                     {.name = "heads",
                      .doc = "Attention heads; they divide d_model into even head widths.",
                      .range = between(1, kMaxWidth)}),
                bind(model, &ModelConfig::kv_heads,
                     {.name = "kv_heads",
                      .doc = "Heads of keys and values, a divisor of heads; 0: as many as heads.",
                      .range = between(0, kMaxWidth)}),
                bind(model, &ModelConfig::context,
                     {.name = "context",
                      .doc = "Length of a sequence.",
                      .unit = "tokens",
                      .range = between(1, 1 << 24)}),
                bind(model, &ModelConfig::vocab_size,
                     {.name = "vocab_size",
                      .doc = "Token ids the model knows; 0: as many as the tokenizer has.",
                      .range = between(0, kMaxTokenIds)}),
                bind(model, &ModelConfig::qk_norm,
                     {.name = "qk_norm",
                      .doc = "RMSNorm of queries and keys before the rotary positions: over the "
                             "whole projection (full, as OLMoE) or over each head.",
                      .choices = {"none", "full", "head"}}),
                bind(model, &ModelConfig::tied,
                     {.name = "tied", .doc = "The output head shares the embedding's matrix."}),
                bind(model, &ModelConfig::rope_theta,
                     {.name = "rope_theta",
                      .doc = "Base of the rotary position frequencies.",
                      .range = between(1, 1e15)}),
                bind(model, &ModelConfig::norm_eps,
                     {.name = "norm_eps",
                      .doc = "Added to the mean square under the root of every RMSNorm.",
                      .range = between(1e-30, 1)}),
                bind(model, &ModelConfig::z_loss,
                     {.name = "z_loss",
                      .doc = "Weight of (log sum exp of a token's logits)^2, which keeps logits "
                             "from drifting; 0: none. Reported apart from the loss.",
                      .range = at_least(0)}),
                init_table(),
                feed_forward_table(catalog),
                moe_table(),
            }};
}

}  // namespace polytrain::config
