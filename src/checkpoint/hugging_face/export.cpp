#include "checkpoint/hugging_face/export.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/hugging_face/files.hpp"
#include "checkpoint/hugging_face/names.hpp"
#include "checkpoint/safetensors.hpp"
#include "checkpoint/temporary_folder.hpp"
#include "core/error.hpp"
#include "core/file.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Whether the routers choose by more than their probabilities.
bool has_router_bias(const Checkpoint& checkpoint, const std::vector<Parameter*>& parameters) {
    return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter* parameter) {
        if (!is_router_bias(*parameter)) return false;
        std::vector<float> bias(static_cast<size_t>(parameter->shape.elements()));
        checkpoint.read(parameter->name, {bias.data(), parameter->shape, DType::kF32, {}});
        return std::any_of(bias.begin(), bias.end(), [](float b) { return b != 0; });
    });
}

// The tensors in files, in their order.
std::vector<std::vector<HuggingFaceTensor>> shards_of(std::vector<HuggingFaceTensor> tensors,
                                                      const HuggingFaceExport& options) {
    std::vector<std::vector<HuggingFaceTensor>> shards(1);
    int64_t filled = 0;
    for (HuggingFaceTensor& tensor : tensors) {
        const auto bytes = tensor.shape.elements() * static_cast<int64_t>(size_of(options.dtype));
        if (!shards.back().empty() && filled + bytes > options.shard_bytes) {
            shards.emplace_back();
            filled = 0;
        }
        filled += bytes;
        shards.back().push_back(std::move(tensor));
    }
    return shards;
}

void write_tensor(const Checkpoint& checkpoint, const HuggingFaceTensor& tensor, DType dtype,
                  SafetensorsWriter& writer) {
    constexpr int64_t kPiece = int64_t{1} << 20;  // all that is held in memory
    const int64_t elements = tensor.shape.elements();
    std::vector<float> values(static_cast<size_t>(std::min(kPiece, elements)));
    std::vector<Bf16> rounded(dtype == DType::kBf16 ? values.size() : 0);
    for (int64_t begin = 0; begin < elements; begin += kPiece) {
        const auto count = static_cast<size_t>(std::min(kPiece, elements - begin));
        checkpoint.read(tensor.parameter, tensor.whole, tensor.begin + begin,
                        {values.data(), {static_cast<int64_t>(count)}, DType::kF32, {}});
        if (dtype == DType::kBf16) {
            std::transform(values.begin(), values.begin() + static_cast<int64_t>(count),
                           rounded.begin(), [](float value) { return Bf16(value); });
            writer.write(rounded.data(), count * sizeof(Bf16));
        } else {
            writer.write(values.data(), count * sizeof(float));
        }
    }
}

// Returns the bytes of its tensors.
int64_t write_shard(const Checkpoint& checkpoint, const std::vector<HuggingFaceTensor>& tensors,
                    DType dtype, const fs::path& path) {
    std::vector<SafetensorsEntry> entries;
    for (const HuggingFaceTensor& tensor : tensors)
        entries.push_back({tensor.name, dtype, tensor.shape});
    // Without this metadata `transformers` refuses the file.
    SafetensorsWriter writer(path, std::move(entries), {{"format", "pt"}});
    for (const HuggingFaceTensor& tensor : tensors) write_tensor(checkpoint, tensor, dtype, writer);
    writer.commit();
    return static_cast<int64_t>(writer.tensors().back().end - writer.header().size());
}

void write_weights(const Checkpoint& checkpoint, std::vector<HuggingFaceTensor> tensors,
                   const HuggingFaceExport& options, const fs::path& folder,
                   HuggingFaceExported& exported) {
    exported.tensors = std::ssize(tensors);
    const auto shards = shards_of(std::move(tensors), options);
    exported.files = std::ssize(shards);
    Json places = Json::object();
    for (size_t i = 0; i < shards.size(); ++i) {
        const std::string name =
            shards.size() == 1
                ? kHuggingFaceWeights
                : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        exported.bytes += write_shard(checkpoint, shards[i], options.dtype, folder / name);
        for (const HuggingFaceTensor& tensor : shards[i]) places[tensor.name] = name;
    }
    if (shards.size() == 1) return;
    const Json index{{"metadata", {{"total_size", exported.bytes}}}, {"weight_map", places}};
    write_file_atomic(folder / kHuggingFaceIndex, index.dump(2) + "\n");
}

TextEnds ends_of(const Tokenizer* tokenizer) {
    if (tokenizer == nullptr) return {};
    return {tokenizer->begin_of_text(), tokenizer->separator()};
}

void write_tokenizer(const Tokenizer& tokenizer, int64_t context, const fs::path& folder) {
    const std::string text = tokenizer.file_text();
    if (text.empty()) return;
    write_file_atomic(folder / "tokenizer.json", text);
    if (tokenizer.name() != "bpe") return;  // the file is ours alone
    Json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                {"model_max_length", context},
                {"clean_up_tokenization_spaces", false}};
    const auto name_end = [&](const char* key, const std::optional<int32_t>& id) {
        if (id) config[key] = tokenizer.decode({&*id, 1});
    };
    const TextEnds ends = ends_of(&tokenizer);
    name_end("bos_token", ends.begin);
    name_end("eos_token", ends.end);
    write_file_atomic(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace

HuggingFaceExported export_hugging_face(const Checkpoint& checkpoint, const ModelConfig& model,
                                        const std::vector<Parameter*>& parameters,
                                        const fs::path& folder, const HuggingFaceExport& options) {
    HuggingFaceModel found{model, has_router_bias(checkpoint, parameters)};
    found.byte_tokens = options.tokenizer != nullptr && options.tokenizer->name() == "bytes";
    HuggingFaceExported exported{stock_class(found)};

    const TemporaryFolder temporary(place_for_folder(folder));
    const fs::path& to = temporary.path();
    write_weights(checkpoint, hugging_face_tensors(model, parameters, found.router_bias), options,
                  to, exported);
    const Json config = hugging_face_config(found, options.dtype, ends_of(options.tokenizer));
    write_file_atomic(to / "config.json", config.dump(2) + "\n");
    Json generation{{"_from_model_config", true}};
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"})
        generation[key] = config[key];
    write_file_atomic(to / "generation_config.json", generation.dump(2) + "\n");
    if (options.tokenizer != nullptr)
        write_tokenizer(*options.tokenizer, model.context, to);
    else if (!options.tokenizer_text.empty())
        write_file_atomic(to / "tokenizer.json", options.tokenizer_text);
    temporary.commit();
    return exported;
}

}  // namespace polytrain
