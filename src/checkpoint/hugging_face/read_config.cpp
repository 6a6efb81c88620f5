#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/hugging_face/config.hpp"
#include "checkpoint/hugging_face/config_names.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr uint64_t kMostBytes = 16 << 20;
constexpr int kMostDepth = 16;

// An object of a config.json, whose values are checked as they are read.
class Reader {
  public:
    Reader(const json& object, std::string where, std::string path = {})
        : object_(object), where_(std::move(where)), path_(std::move(path)) {}

    bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }
    const json& at(const char* key) const {
        if (!has(key)) fail(ExitCode::kBadConfig, "{}: \"{}{}\" is missing", where_, path_, key);
        return object_[key];
    }
    template <class... Args>
    [[noreturn]] void refuse(const char* key, fmt::format_string<Args...> format,
                             Args&&... args) const {
        fail(ExitCode::kBadConfig, "{}: \"{}{}\" is {}: {}", where_, path_, key, at(key).dump(),
             fmt::format(format, std::forward<Args>(args)...));
    }
    int64_t count(const char* key) const {
        const json& value = at(key);
        constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
        if (!value.is_number_unsigned() || value.get<uint64_t>() == 0 ||
            value.get<uint64_t>() > kMax)
            refuse(key, "wants a whole number above 0");
        return value.get<int64_t>();
    }
    int64_t count(const char* key, int64_t otherwise) const {
        return has(key) ? count(key) : otherwise;
    }
    double number(const char* key, double otherwise) const {
        if (!has(key)) return otherwise;
        if (!at(key).is_number()) refuse(key, "wants a number");
        return at(key).get<double>();
    }
    bool flag(const char* key, bool otherwise) const {
        if (!has(key)) return otherwise;
        if (!at(key).is_boolean()) refuse(key, "wants true or false");
        return at(key).get<bool>();
    }
    std::string text(const char* key) const {
        if (!at(key).is_string()) refuse(key, "wants a text");
        return at(key).get<std::string>();
    }
    std::string text(const char* key, const char* otherwise) const {
        return has(key) ? text(key) : otherwise;
    }
    Reader object(const char* key) const {
        if (!at(key).is_object()) refuse(key, "wants an object");
        return {object_[key], where_, path_ + key + "."};
    }

  private:
    const json& object_;
    std::string where_, path_;
};

// What changes the results and our model has not.
void refuse_foreign(const Reader& config, const ModelConfig& model) {
    for (const char* key : {"attention_bias", "mlp_bias", "use_sliding_window"})
        if (config.flag(key, false)) config.refuse(key, "PolyTrain's models have none");
    for (const char* key : {"clip_qkv", "quantization_config", "sliding_window"})
        if (config.has(key)) config.refuse(key, "PolyTrain's models have none");
    if (config.number("partial_rotary_factor", 1) != 1)
        config.refuse("partial_rotary_factor", "PolyTrain turns whole heads");
    if (config.has("head_dim") && (config.count("head_dim") != model.d_model / model.heads ||
                                   model.d_model % model.heads != 0))
        config.refuse("head_dim", "PolyTrain's is hidden_size / num_attention_heads, {} / {}",
                      model.d_model, model.heads);
}

// The base of the rotary frequencies; a way to stretch them is refused.
double rope_theta(const Reader& config) {
    double theta = config.number("rope_theta", 10000);
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
        if (!config.has(key)) continue;
        const Reader rope = config.object(key);
        for (const char* type : {"rope_type", "type"})
            if (rope.text(type, "default") != "default")
                config.refuse(key, "PolyTrain has rotary positions of rope_type \"default\" alone");
        // All else scales or cuts them.
        for (const auto& [name, value] : config.at(key).items())
            if (!value.is_null() && name != "rope_type" && name != "type" && name != "rope_theta")
                rope.refuse(name.c_str(), "PolyTrain's rotary positions have rope_theta alone");
        theta = rope.number("rope_theta", theta);
    }
    return theta;
}

// Into model.feed_forward.
void read_activation(const Reader& config, const std::string& name,
                     const ActivationCatalog& catalog, FeedForwardConfig& feed_forward) {
    feed_forward.activation = name;
    for (const auto& [ours, theirs] : kStockActivations)
        if (name == theirs) feed_forward.activation = ours;
    if (catalog.find(feed_forward.activation) == nullptr)
        config.refuse("hidden_act", "PolyTrain has no such activation");
}

// The two models that the authors of PolyCom released; what their config calls the activation, and
// that it names it at all, is not documented.
void read_released(const Reader& config, const std::string& activation, HuggingFaceModel& found) {
    found.released = true;
    std::string name = activation.empty() ? config.text("hidden_act", "") : activation;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name != "polyrelu" && name != "polynorm")
        fail(ExitCode::kBadConfig,
             "model_type \"polyllama\" with activation \"{}\": give --activation polyrelu or "
             "--activation polynorm, whichever the model was trained with",
             name);
    found.model.feed_forward.activation = name;
}

// The keys of "polytrain".
void read_own(const Reader& own, HuggingFaceModel& found) {
    if (own.count("version") != kOwnVersion)
        own.refuse("version", "this program reads version {}", kOwnVersion);
    ModelConfig& model = found.model;
    model.feed_forward.order = own.count("order");
    model.feed_forward.gated = own.flag("gated", false);
    model.qk_norm = own.text("qk_norm");
    if (model.qk_norm != "none" && model.qk_norm != "full" && model.qk_norm != "head")
        own.refuse("qk_norm", "wants \"none\", \"full\" or \"head\"");
    if (model.moe.experts == 0) return;
    model.moe.coefficients = own.text("coefficients");
    if (model.moe.coefficients != "layer" && model.moe.coefficients != "expert")
        own.refuse("coefficients", "wants \"layer\" or \"expert\"");
    if (own.has("shared_hidden")) model.moe.shared_hidden = own.count("shared_hidden");
    found.router_bias = own.flag("router_bias", false);
}

void read_mixture(const Reader& config, ModelConfig& model) {
    model.moe.experts = config.count("num_experts");
    model.moe.top_k = config.count("num_experts_per_tok");
    model.moe.renormalise = config.flag("norm_topk_prob", false);
    model.moe.hidden = model.feed_forward.hidden;
}

}  // namespace

HuggingFaceModel read_hugging_face_config(const std::filesystem::path& path,
                                          const std::string& activation,
                                          const ActivationCatalog& catalog) {
    const std::string where = path.string();
    const json document = parse_strict_json(read_file(path, kMostBytes), where, kMostDepth);
    if (!document.is_object()) fail(ExitCode::kCorrupt, "{}: is not an object", where);
    const Reader config(document, where);
    const std::string type = config.text("model_type");
    if (type != "llama" && type != "olmoe" && type != "polyllama" && type != kOwnKey)
        config.refuse("model_type", "import reads \"llama\", \"olmoe\", \"polyllama\" and \"{}\"",
                      kOwnKey);
    if (!activation.empty() && type != "polyllama")
        fail(ExitCode::kUsage, "--activation is for model_type \"polyllama\"; {} says \"{}\"",
             where, type);

    HuggingFaceModel found;
    ModelConfig& model = found.model;
    model.d_model = config.count("hidden_size");
    model.layers = config.count("num_hidden_layers");
    model.heads = config.count("num_attention_heads");
    model.kv_heads = config.count("num_key_value_heads", model.heads);
    model.context = config.count("max_position_embeddings");
    model.vocab_size = config.count("vocab_size");
    model.tied = config.flag("tie_word_embeddings", false);
    // As the classes have it where a file doesn't say.
    model.norm_eps = config.number("rms_norm_eps", type == "olmoe" ? 1e-5 : 1e-6);
    model.rope_theta = rope_theta(config);
    model.init.std = config.number("initializer_range", model.init.std);
    model.feed_forward.hidden = config.count("intermediate_size");
    model.feed_forward.gated = type == "llama" || type == "olmoe";
    refuse_foreign(config, model);

    if (type == "olmoe" || (type == kOwnKey && config.has("num_experts")))
        read_mixture(config, model);
    if (type == "olmoe") model.qk_norm = "full";
    if (type == "polyllama")
        read_released(config, activation, found);
    else
        read_activation(config, config.text("hidden_act", "silu"), catalog, model.feed_forward);
    if (type == kOwnKey) read_own(config.object(kOwnKey), found);
    found.byte_tokens =
        config.has(kOwnKey) && config.object(kOwnKey).text("tokenizer", "") == "bytes";
    return found;
}

}  // namespace polytrain
