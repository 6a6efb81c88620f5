#include "checkpoint/hugging_face/files.hpp"

#include <nlohmann/json.hpp>

#include "checkpoint/manifest.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr uint64_t kMostIndexBytes = 64 << 20;
constexpr int kMostDepth = 4;

}  // namespace

HuggingFaceFiles::HuggingFaceFiles(std::filesystem::path folder) : folder_(std::move(folder)) {
    if (std::filesystem::exists(folder_ / kHuggingFaceWeights))
        open(kHuggingFaceWeights);
    else if (std::filesystem::exists(folder_ / kHuggingFaceIndex))
        open_index();
    else
        fail(ExitCode::kInputMissing,
             "{}: has neither {} nor {}; a pytorch_model.bin must be saved as safetensors first",
             folder_.string(), kHuggingFaceWeights, kHuggingFaceIndex);
}

void HuggingFaceFiles::open(const std::string& name) {
    const SafetensorsFile& file =
        files_.emplace(name, SafetensorsFile(folder_ / name)).first->second;
    for (const auto& [tensor, entry] : file.tensors()) {
        if (!tensors_.emplace(tensor, entry).second)
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is in {} too", (folder_ / name).string(),
                 tensor, places_.at(tensor));
        places_[tensor] = name;
    }
}

void HuggingFaceFiles::open_index() {
    const std::string where = (folder_ / kHuggingFaceIndex).string();
    const json index = parse_strict_json(read_file(folder_ / kHuggingFaceIndex, kMostIndexBytes),
                                         where, kMostDepth);
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
        fail(ExitCode::kCorrupt, "{}: has no object \"weight_map\"", where);
    const json& map = index["weight_map"];
    for (const auto& [tensor, name] : map.items()) {
        // In the folder itself, wherever the index came from.
        if (!name.is_string() || !is_plain_file_name(name.get<std::string>()))
            fail(ExitCode::kCorrupt, "{}: \"weight_map\": the file of \"{}\" is {}", where, tensor,
                 name.dump());
        if (!files_.contains(name.get<std::string>())) open(name.get<std::string>());
    }
    for (const auto& [tensor, name] : map.items())
        if (const auto place = places_.find(tensor);
            place == places_.end() || place->second != name.get<std::string>())
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\" is not in {}", where, tensor, name.dump());
    for (const auto& [tensor, name] : places_)
        if (!map.contains(tensor))
            fail(ExitCode::kCorrupt, "{}: doesn't list tensor \"{}\" of {}", where, tensor, name);
}

std::span<const std::byte> HuggingFaceFiles::bytes(const std::string& tensor) const {
    return files_.at(places_.at(tensor)).bytes(tensors_.at(tensor));
}

std::filesystem::path HuggingFaceFiles::file_of(const std::string& tensor) const {
    return folder_ / places_.at(tensor);
}

}  // namespace polytrain
