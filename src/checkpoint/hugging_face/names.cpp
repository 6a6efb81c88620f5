#include "checkpoint/hugging_face/names.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kRouterBias = ".moe.router.bias";

// Parameters that have one name there, without "layers.N.".
constexpr std::pair<std::string_view, std::string_view> kWhole[] = {
    {"embedding.table", "embed_tokens.weight"},
    {"final_norm.gain", "norm.weight"},
    {"attention_norm.gain", "input_layernorm.weight"},
    {"attention.q_norm.gain", "self_attn.q_norm.weight"},
    {"attention.k_norm.gain", "self_attn.k_norm.weight"},
    {"attention.out", "self_attn.o_proj.weight"},
    {"feed_forward_norm.gain", "post_attention_layernorm.weight"},
    {"moe.router.weight", "mlp.gate.weight"},
    {"moe.router.bias", "mlp.gate.e_score_correction_bias"},
};
// Feed-forward networks.
constexpr std::pair<std::string_view, std::string_view> kNetworks[] = {
    {"feed_forward.", "mlp."},
    {"moe.shared.", "mlp.shared_expert."},
    {"moe.experts.", "mlp.experts."},
};

// The tensors of one parameter.
class Cut {
  public:
    Cut(const Parameter& parameter, std::vector<HuggingFaceTensor>& tensors)
        : parameter_(parameter), tensors_(tensors) {}

    // The next elements.
    void add(std::string name, Shape shape) {
        tensors_.push_back({std::move(name), shape, parameter_.name, parameter_.shape, begin_});
        begin_ += shape.elements();
    }
    // The part of a feed-forward network under `at`.
    void add_network(const std::string& at, std::string_view part, Shape shape) {
        if (part == "coefficients") return add(at + "act_fn.coefficients", shape);
        if (part != "gate_up") return add(fmt::format("{}{}_proj.weight", at, part), shape);
        const Shape half{shape[0] / 2, shape[1]};
        add(at + "gate_proj.weight", half);
        add(at + "up_proj.weight", half);
    }
    bool is_complete() const { return begin_ == parameter_.shape.elements(); }

  private:
    const Parameter& parameter_;
    std::vector<HuggingFaceTensor>& tensors_;
    int64_t begin_ = 0;
};

// `rest` is the parameter's name behind its layer, `at` the layer's name there.
void add_parameter(const ModelConfig& config, const Parameter& parameter, std::string_view rest,
                   const std::string& at, Cut& cut) {
    const Shape& shape = parameter.shape;
    if (parameter.name == "head.weight") return cut.add("lm_head.weight", shape);
    for (const auto& [ours, theirs] : kWhole)
        if (rest == ours) return cut.add(at + std::string(theirs), shape);
    if (rest == "attention.qkv") {
        const int64_t head = config.d_model / config.heads;
        for (const auto& [part, heads] :
             {std::pair{"q", config.heads}, {"k", config.kv_heads}, {"v", config.kv_heads}})
            cut.add(fmt::format("{}self_attn.{}_proj.weight", at, part),
                    {heads * head, config.d_model});
        return;
    }
    for (const auto& [ours, theirs] : kNetworks) {
        if (!rest.starts_with(ours)) continue;
        const std::string_view part = rest.substr(ours.size());
        const std::string network = at + std::string(theirs);
        if (!parameter.is_experts()) return cut.add_network(network, part, shape);
        const Shape one = shape.rank() == 3 ? Shape{shape[1], shape[2]} : Shape{shape[1]};
        for (int64_t expert = 0; expert < shape[0]; ++expert)
            cut.add_network(fmt::format("{}{}.", network, expert), part, one);
        return;
    }
}

}  // namespace

bool is_router_bias(const Parameter& parameter) {
    return parameter.name.ends_with(kRouterBias);
}

std::vector<HuggingFaceTensor> hugging_face_tensors(const ModelConfig& config,
                                                    const std::vector<Parameter*>& parameters,
                                                    bool router_bias) {
    constexpr std::string_view kLayers = "layers.";
    std::vector<HuggingFaceTensor> tensors;
    for (const Parameter* parameter : parameters) {
        if (is_router_bias(*parameter) && !router_bias) continue;
        std::string_view rest = parameter->name;
        std::string at = "model.";
        if (rest.starts_with(kLayers)) {
            const size_t end = rest.find('.', kLayers.size()) + 1;  // of "layers.3."
            at += rest.substr(0, end);
            rest.remove_prefix(end);
        }
        Cut cut(*parameter, tensors);
        add_parameter(config, *parameter, rest, at, cut);
        PT_CHECK(cut.is_complete(), "{} has no Hugging Face name", parameter->name);
    }
    return tensors;
}

}  // namespace polytrain
