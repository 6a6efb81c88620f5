#include "checkpoint/hugging_face/config.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "checkpoint/hugging_face/config_names.hpp"

namespace polytrain {
namespace {

// f of a gated form's name, which has it in f(gate) * up.
std::string_view base_activation(const ModelConfig& model) {
    const std::string_view base = ActivationCatalog::gated_form(model.feed_forward.activation);
    return base.empty() ? std::string_view(model.feed_forward.activation) : base;
}

// Empty where `transformers` has no such activation.
std::string_view stock_activation(const ModelConfig& model) {
    for (const auto& [ours, theirs] : kStockActivations)
        if (base_activation(model) == ours) return theirs;
    return {};
}

nlohmann::ordered_json or_null(const std::optional<int32_t>& id) {
    if (id) return *id;
    return nullptr;
}

}  // namespace

StockClass stock_class(const HuggingFaceModel& found) {
    const ModelConfig& model = found.model;
    if (stock_activation(model).empty())
        return {"", fmt::format("there is no activation \"{}\" in it", base_activation(model))};
    if (!model.feed_forward.gated)
        return {"", "its Llama and OLMoE have gated feed-forward parts alone"};
    if (model.moe.experts == 0) {
        if (model.qk_norm == "none") return {"LlamaForCausalLM", ""};
        return {"", "its Llama has no norm of queries and keys"};
    }
    if (model.qk_norm != "full")
        return {"", "its OLMoE has a norm of queries and keys over the whole projection"};
    if (model.moe.shared_hidden > 0) return {"", "its OLMoE has no shared expert"};
    if (found.router_bias) return {"", "its OLMoE has no bias of the choice of experts"};
    return {"OlmoeForCausalLM", ""};
}

nlohmann::ordered_json hugging_face_config(const HuggingFaceModel& found, DType dtype,
                                           const TextEnds& ends) {
    const ModelConfig& model = found.model;
    const bool is_mixture = model.moe.experts > 0;
    const StockClass stock = stock_class(found);
    const std::string_view type = !stock.exists() ? kOwnKey : is_mixture ? "olmoe" : "llama";
    nlohmann::ordered_json config{
        {"architectures",
         nlohmann::ordered_json::array({stock.exists() ? stock.name : "PolyTrainForCausalLM"})},
        {"model_type", type},
        {"hidden_act", stock.exists() ? stock_activation(model) : base_activation(model)},
        {"hidden_size", model.d_model},
        {"intermediate_size", is_mixture ? model.moe.hidden : model.feed_forward.hidden},
        {"num_hidden_layers", model.layers},
        {"num_attention_heads", model.heads},
        {"num_key_value_heads", model.kv_heads},
        {"max_position_embeddings", model.context},
        {"vocab_size", model.vocab_size},
        {"rms_norm_eps", model.norm_eps},
        {"rope_theta", model.rope_theta},
        {"tie_word_embeddings", model.tied},
        {"attention_bias", false},
        {"initializer_range", model.init.std},
        // Null, for the classes' own defaults are other tokenizers' ids.
        {"bos_token_id", or_null(ends.begin)},
        {"eos_token_id", or_null(ends.end)},
        {"pad_token_id", nullptr},
        {"torch_dtype", dtype == DType::kBf16 ? "bfloat16" : "float32"}};
    if (is_mixture) {
        config["num_experts"] = model.moe.experts;
        config["num_experts_per_tok"] = model.moe.top_k;
        config["norm_topk_prob"] = model.moe.renormalise;
        config["clip_qkv"] = nullptr;
    }
    if (!stock.exists()) {
        nlohmann::ordered_json& own = config[kOwnKey] = {{"version", kOwnVersion},
                                                         {"order", model.feed_forward.order},
                                                         {"gated", model.feed_forward.gated},
                                                         {"qk_norm", model.qk_norm}};
        if (is_mixture) {
            own["coefficients"] = model.moe.coefficients;
            if (model.moe.shared_hidden > 0) own["shared_hidden"] = model.moe.shared_hidden;
            own["router_bias"] = found.router_bias;
        }
    }
    if (found.byte_tokens) config[kOwnKey]["tokenizer"] = "bytes";
    return config;
}

}  // namespace polytrain
