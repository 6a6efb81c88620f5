#include "checkpoint/hugging_face/import.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <set>

#include "checkpoint/hugging_face/names.hpp"
#include "checkpoint/save.hpp"
#include "core/error.hpp"
#include "core/half.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kCoefficients = "act_fn.coefficients";
constexpr std::string_view kRotaryTable = ".self_attn.rotary_emb.inv_freq";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kEmbedding = "model.embed_tokens.weight";

// "a, b, c and 5 more"
std::string some_of(const std::set<std::string>& names) {
    constexpr size_t kMost = 8;
    std::string text;
    for (auto name = names.begin(); name != names.end(); ++name) {
        const auto before = static_cast<size_t>(std::distance(names.begin(), name));
        if (before == kMost) return text + fmt::format(" and {} more", names.size() - kMost);
        text += (before > 0 ? ", " : "") + *name;
    }
    return text.empty() ? "none" : text;
}

// What a layer of a released model has beside its projections: NAME.weight [r], where element 0 is
// of power r and the last of power 1, and NAME.bias [1], a_0.
struct ReleasedCoefficients {
    std::string weight, bias;
    int64_t order;
};
ReleasedCoefficients released_coefficients(const HuggingFaceFiles& files, const std::string& mlp) {
    std::vector<std::string> found;
    for (auto at = files.tensors().lower_bound(mlp);
         at != files.tensors().end() && at->first.starts_with(mlp); ++at)
        if (at->first.find("_proj.") == std::string::npos) found.push_back(at->first);
    const auto shape = [&](size_t i) { return files.tensors().at(found[i]).shape; };
    if (found.size() != 2 || !found[0].ends_with(".bias") ||
        found[1] != found[0].substr(0, found[0].size() - 4) + "weight" ||
        shape(0).elements() != 1 || shape(1).rank() != 1 || shape(1).elements() < 1)
        fail(ExitCode::kCorrupt,
             "{}: {}*: wants the activation's coefficients, a .weight of the order's size and a "
             ".bias of one element; found {}",
             files.folder().string(), mlp, some_of({found.begin(), found.end()}));
    return {found[1], found[0], shape(1)[0]};
}

// What a run's weights.safetensors is made of: views of the files, where those have f32 or bf16.
class Import {
  public:
    Import(const HuggingFaceFiles& files, const HuggingFaceModel& model)
        : files_(files), released_(model.released) {
        int64_t largest = 0;
        for (const auto& [name, entry] : files.tensors()) {
            unused_.insert(name);
            if (entry.dtype == DType::kBf16) largest = std::max(largest, entry.shape.elements());
        }
        zeros_.resize(static_cast<size_t>(largest));
    }

    void add(const HuggingFaceTensor& tensor) {
        if (released_ && tensor.name.ends_with(kCoefficients)) return add_released(tensor);
        const auto found = files_.tensors().find(tensor.name);
        if (found == files_.tensors().end()) {
            missing_.insert(tensor.name);
            return;
        }
        if (found->second.shape != tensor.shape)
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is {}, but by config.json it is {}",
                 files_.file_of(tensor.name).string(), tensor.name, found->second.shape.text(),
                 tensor.shape.text());
        unused_.erase(tensor.name);
        slices_.push_back(slice_of(tensor, found->second));
    }
    // A parameter that is nowhere in the files.
    void add_zeros(const Parameter& parameter) {
        add_copy(parameter.name, parameter.shape, 0,
                 std::vector<float>(static_cast<size_t>(parameter.shape.elements())));
    }
    // What other programs save although it follows from the rest.
    void drop_repeated(const ModelConfig& model) {
        for (int64_t layer = 0; layer < model.layers; ++layer)
            drop_rotary_table(fmt::format("model.layers.{}{}", layer, kRotaryTable), model);
        if (!model.tied || !unused_.contains(kHead) || missing_.contains(kEmbedding)) return;
        const auto head = files_.bytes(kHead), table = files_.bytes(kEmbedding);
        if (!std::equal(head.begin(), head.end(), table.begin(), table.end()))
            fail(ExitCode::kCorrupt,
                 "{}: config.json has tie_word_embeddings true, but {} is not what {} is",
                 files_.file_of(kHead).string(), kHead, kEmbedding);
        unused_.erase(kHead);
    }
    // All slices, once every tensor is accounted for.
    std::vector<TensorSlice> finish() {
        if (!missing_.empty() || !unused_.empty())
            fail(ExitCode::kCorrupt,
                 "{}: these are not the tensors of config.json's model; missing: {}; of no use: "
                 "{}",
                 files_.folder().string(), some_of(missing_), some_of(unused_));
        return std::move(slices_);
    }

  private:
    // It must be theta^(-2j/D), as the config's are: others would turn positions another way.
    void drop_rotary_table(const std::string& name, const ModelConfig& model) {
        if (unused_.erase(name) == 0) return;
        const SafetensorsEntry& entry = files_.tensors().at(name);
        const int64_t head = model.d_model / model.heads;
        const std::string place = files_.file_of(name).string();
        if (entry.shape != Shape{head / 2})
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is {}, but by config.json it is {}", place,
                 name, entry.shape.text(), Shape{head / 2}.text());
        // To bf16 a number is rounded by up to 2^-9 of it.
        const double allowed = entry.dtype == DType::kBf16 ? 3e-3 : 1e-3;
        const std::vector<float> values = floats_of(name);
        for (int64_t j = 0; j < head / 2; ++j) {
            const double wanted =
                std::pow(model.rope_theta, -2 * static_cast<double>(j) / static_cast<double>(head));
            const double value = values[static_cast<size_t>(j)];
            if (!(std::abs(value - wanted) <= allowed * wanted))
                fail(ExitCode::kCorrupt,
                     "{}: tensor \"{}\": element {} is {}, but by config.json's rope_theta {} it "
                     "is {}",
                     place, name, j, value, model.rope_theta, wanted);
        }
    }

    void add_copy(const std::string& parameter, const Shape& whole, int64_t begin,
                  std::vector<float> values) {
        std::vector<float>& kept = copies_.emplace_back(std::move(values));
        slices_.emplace_back(parameter, whole, begin,
                             Tensor{kept.data(), {std::ssize(kept)}, DType::kF32, {}});
    }

    void add_released(const HuggingFaceTensor& tensor) {
        const std::string mlp = tensor.name.substr(0, tensor.name.size() - kCoefficients.size());
        const ReleasedCoefficients found = released_coefficients(files_, mlp);
        std::vector<float> a = floats_of(found.bias), powers = floats_of(found.weight);
        a.insert(a.end(), powers.rbegin(), powers.rend());
        if (std::ssize(a) != tensor.shape.elements())
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is of order {}, layer 0's of {}",
                 files_.file_of(found.weight).string(), found.weight, found.order,
                 tensor.shape.elements() - 1);
        unused_.erase(found.weight);
        unused_.erase(found.bias);
        add_copy(tensor.parameter, tensor.whole, tensor.begin, std::move(a));
    }

    TensorSlice slice_of(const HuggingFaceTensor& tensor, const SafetensorsEntry& entry) {
        const std::span<const std::byte> bytes = files_.bytes(tensor.name);
        // A Tensor is of what may be written to; saving reads alone.
        auto* data = const_cast<std::byte*>(bytes.data());
        const Tensor view{data, {tensor.shape.elements()}, entry.dtype, {}};
        // Saving reads bf16 by element, and safetensors needn't align them.
        const bool is_aligned = reinterpret_cast<uintptr_t>(data) % alignof(Bf16) == 0;
        if (entry.dtype == DType::kF32) return {tensor.parameter, tensor.whole, tensor.begin, view};
        if (entry.dtype == DType::kBf16 && is_aligned)
            return {tensor.parameter, tensor.whole, tensor.begin, view,
                    Tensor{zeros_.data(), view.shape, DType::kI16, {}}};
        std::vector<float>& kept = copies_.emplace_back(floats_of(tensor.name));
        return {tensor.parameter, tensor.whole, tensor.begin,
                Tensor{kept.data(), view.shape, DType::kF32, {}}};
    }

    std::vector<float> floats_of(const std::string& name) const {
        const SafetensorsEntry& entry = files_.tensors().at(name);
        const std::span<const std::byte> bytes = files_.bytes(name);
        const auto count = static_cast<size_t>(entry.shape.elements());
        std::vector<float> values(count);
        if (entry.dtype == DType::kF32) {
            std::memcpy(values.data(), bytes.data(), bytes.size());
        } else if (entry.dtype == DType::kBf16) {
            std::vector<Bf16> narrow(count);
            std::memcpy(narrow.data(), bytes.data(), bytes.size());
            join_floats(narrow.data(), zeros_.data(), count, values.data());
        } else if (entry.is_half) {
            std::vector<uint16_t> halves(count);
            std::memcpy(halves.data(), bytes.data(), bytes.size());
            halves_to_floats(halves.data(), count, values.data());
        } else {
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is {}; weights are f32, bf16 or f16",
                 files_.file_of(name).string(), name, name_of(entry.dtype));
        }
        return values;
    }

    const HuggingFaceFiles& files_;
    bool released_;
    std::vector<TensorSlice> slices_;
    std::deque<std::vector<float>> copies_;
    std::vector<int16_t> zeros_;  // what a bf16 lacks of its f32
    std::set<std::string> missing_, unused_;
};

}  // namespace

int64_t released_order(const HuggingFaceFiles& files) {
    return released_coefficients(files, "model.layers.0.mlp.").order;
}

void import_hugging_face(const HuggingFaceFiles& files, const HuggingFaceModel& model,
                         const std::vector<Parameter*>& parameters,
                         const std::filesystem::path& run_folder, const std::string& config_json) {
    Import found(files, model);
    for (const HuggingFaceTensor& tensor :
         hugging_face_tensors(model.model, parameters, model.router_bias))
        found.add(tensor);
    for (const Parameter* parameter : parameters)
        if (is_router_bias(*parameter) && !model.router_bias) found.add_zeros(*parameter);
    found.drop_repeated(model.model);
    TrainState state;
    state.config_json = config_json;
    const FileContents weights{"weights.safetensors", found.finish()};
    save_checkpoint(run_folder, state, {&weights, 1});
}

}  // namespace polytrain
