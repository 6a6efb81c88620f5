#pragma once
// Models of random weights as run folders and as Hugging Face folders, and ways to change these.

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/hugging_face/export.hpp"
#include "checkpoint/hugging_face/import.hpp"
#include "checkpoint/hugging_face/names.hpp"
#include "checkpoint/save.hpp"
#include "support/damage.hpp"
#include "support/model_run.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"

namespace polytrain::testing {

namespace fs = std::filesystem;

inline const ActivationCatalog& catalog() {
    static const Machine machine(1);
    return machine.ops.activations();
}

inline std::vector<float> weights_of(const Checkpoint& checkpoint, const Parameter& parameter) {
    std::vector<float> all(static_cast<size_t>(parameter.shape.elements()));
    checkpoint.read(parameter.name, {all.data(), parameter.shape, DType::kF32, {}});
    return all;
}

// A model saved as step 4 of a run: gains about 1, all other weights about 0, of size `size`.
class SavedModel {
  public:
    SavedModel(const ModelConfig& config, Random& random, bool router_bias = false,
               double size = 0.5)
        : config_(config), model_(config, catalog()) {
        std::vector<std::vector<float>> values;
        FileContents file{"weights.safetensors", {}};
        values.reserve(parameters().size());
        for (const Parameter* parameter : parameters()) {
            std::vector<float>& own = values.emplace_back();
            const double centre = parameter->decay == DecayClass::kGain ? 1 : 0;
            for (int64_t i = 0; i < parameter->shape.elements(); ++i)
                own.push_back(is_router_bias(*parameter) && !router_bias
                                  ? 0.0F
                                  : static_cast<float>(centre + random.uniform(-size, size)));
            file.slices.emplace_back(parameter->name,
                                     Tensor{own.data(), parameter->shape, DType::kF32, {}});
        }
        save_checkpoint(folder_.path(), {4, 40, 4, "data", "{}"}, {&file, 1});
    }

    const ModelConfig& config() const { return config_; }
    const std::vector<Parameter*>& parameters() const { return model_.parameters(); }
    Checkpoint checkpoint() const { return Checkpoint::open(folder_ / "checkpoints/step-4"); }
    HuggingFaceExported export_to(const fs::path& folder,
                                  const HuggingFaceExport& options = {}) const {
        return export_hugging_face(checkpoint(), config_, parameters(), folder, options);
    }
    // Whether these are its weights, bit for bit.
    bool is_in(const fs::path& step) const {
        const Checkpoint mine = checkpoint(), other = Checkpoint::open(step);
        size_t compared = 0;
        for (const Parameter* parameter : parameters()) {
            const std::vector<float> a = weights_of(mine, *parameter);
            const std::vector<float> b = weights_of(other, *parameter);
            if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0) return false;
            ++compared;
        }
        return compared == other.tensors().size();
    }

  private:
    TempFolder folder_;
    ModelConfig config_;
    Transformer model_;
};

// Imports a folder as a run of a model that its config.json alone describes. Returns that.
inline HuggingFaceModel import_from(const fs::path& folder, const fs::path& run,
                                    const std::string& activation = "") {
    HuggingFaceModel found =
        read_hugging_face_config(folder / "config.json", activation, catalog());
    const HuggingFaceFiles files(folder);
    if (found.released) found.model.feed_forward.order = released_order(files);
    const Transformer model(found.model, catalog());
    import_hugging_face(files, found, model.parameters(), run, "{}");
    return found;
}

// A tensor of a safetensors file, to be changed.
struct RawTensor {
    DType dtype;
    Shape shape;
    std::string bytes;
    bool is_half = false;
};
using RawTensors = std::map<std::string, RawTensor>;

inline RawTensors read_raw(const fs::path& path) {
    const SafetensorsFile file(path);
    RawTensors tensors;
    for (const auto& [name, entry] : file.tensors()) {
        const std::span<const std::byte> bytes = file.bytes(entry);
        tensors[name] = {entry.dtype,
                         entry.shape,
                         {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         entry.is_half};
    }
    return tensors;
}

inline void write_raw(const fs::path& path, const RawTensors& tensors) {
    fs::remove(path);
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, tensor] : tensors)
        entries.push_back({name, tensor.dtype, tensor.shape, 0, 0, tensor.is_half});
    SafetensorsWriter writer(path, entries, {{"format", "pt"}});
    for (const auto& [name, tensor] : tensors)
        writer.write(tensor.bytes.data(), tensor.bytes.size());
    writer.commit();
}

inline nlohmann::json read_json(const fs::path& path) {
    return nlohmann::json::parse(slurp(path));
}

// A model that a class of `transformers` has: Llama's, or OLMoE's.
inline ModelConfig stock_model(bool is_mixture) {
    ModelConfig config = small_models()[1];  // swiglu, two heads, one of keys and values
    config.heads = 4;
    config.d_model = 16;
    config.kv_heads = 2;
    config.context = 9;
    config.vocab_size = 23;
    config.rope_theta = 500;
    config.norm_eps = 1e-3;
    if (!is_mixture) return config;
    config.qk_norm = "full";
    config.moe.experts = 6;
    config.moe.top_k = 2;
    config.moe.hidden = 10;
    return config;
}

}  // namespace polytrain::testing
