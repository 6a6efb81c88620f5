#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/manifest.hpp"
#include "comm/communicator.hpp"
#include "core/file.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

// A complete checkpoint, mapped into memory.
class Checkpoint {
  public:
    // Verifies the manifest, the files' sizes and the hash of every byte. A missing folder or
    // manifest: exit 66; damage: exit 65 with the file and the tensor.
    static Checkpoint open(const std::filesystem::path& folder) { return open(folder, 0, 1); }
    // The hashes of every `readers`-th file alone, from number `reader` on: as many readers verify
    // all of them together.
    static Checkpoint open(const std::filesystem::path& folder, int reader, int readers);

    struct TensorInfo {
        DType dtype = DType::kF32;
        Shape shape;
    };

    const std::filesystem::path& folder() const { return folder_; }
    const TrainState& state() const { return manifest_.state; }
    // The version of the program that wrote it.
    const std::string& program() const { return manifest_.program; }
    const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }

    // Copies elements [begin, begin + into's) of a tensor of shape `whole`, put together from its
    // slices, into host memory. There is none of this name, or it has another dtype or shape: exit
    // 78 (the run's config is not the checkpoint's).
    void read(const std::string& tensor, const Shape& whole, int64_t begin,
              const Tensor& into) const;
    // All of it.
    void read(const std::string& tensor, const Tensor& into) const {
        read(tensor, into.shape, 0, into);
    }

  private:
    Checkpoint() = default;
    void map(const Manifest::File& file);
    void verify(const Manifest::File& file, const MappedFile& mapped) const;

    std::filesystem::path folder_;
    Manifest manifest_;
    std::vector<MappedFile> files_;  // as in the manifest
    std::map<std::string, TensorInfo> tensors_;
    // Of every tensor: the files, by number, and slices that it lies in.
    std::map<std::string, std::vector<std::pair<size_t, const Manifest::Slice*>>> places_;
};

// What newest_checkpoint() did not take, and why.
struct PassedOver {
    std::string name;  // of the folder in RUN/checkpoints
    std::string reason;
};

// The checkpoint of the highest step in RUN/checkpoints that verifies, if there is one. Adds to
// `passed_over` every later one that doesn't, and what killed saves have left. Removes nothing.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run_folder,
                                            std::vector<PassedOver>& passed_over);
// The same on all ranks of a group, which share out the verifying. Rank 0 says what there is.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run_folder,
                                            std::vector<PassedOver>& passed_over,
                                            Communicator& group);

// Logs them. Whether one was a committed checkpoint, and not what a killed call left.
bool log_passed_over(const std::vector<PassedOver>& passed_over);

}  // namespace polytrain
