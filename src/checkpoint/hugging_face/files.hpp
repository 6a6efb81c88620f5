#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/safetensors.hpp"

namespace polytrain {

inline constexpr const char* kHuggingFaceIndex = "model.safetensors.index.json";
inline constexpr const char* kHuggingFaceWeights = "model.safetensors";

// The tensors of a Hugging Face folder: of its model.safetensors, or else of the files that
// model.safetensors.index.json lists.
class HuggingFaceFiles {
  public:
    // Neither there: exit 66. Damaged files, and an index that doesn't list just the tensors of its
    // files, each at its place: exit 65.
    explicit HuggingFaceFiles(std::filesystem::path folder);

    const std::filesystem::path& folder() const { return folder_; }
    const std::map<std::string, SafetensorsEntry>& tensors() const { return tensors_; }
    // Of one of the tensors.
    std::span<const std::byte> bytes(const std::string& tensor) const;
    std::filesystem::path file_of(const std::string& tensor) const;

  private:
    void open(const std::string& name);
    void open_index();

    std::filesystem::path folder_;
    std::map<std::string, SafetensorsFile> files_;
    std::map<std::string, SafetensorsEntry> tensors_;
    std::map<std::string, std::string> places_;  // of the tensors, by name: their files
};

}  // namespace polytrain
