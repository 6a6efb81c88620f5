#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/folder.hpp"
#include "checkpoint/manifest.hpp"
#include "comm/communicator.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

// Elements [begin, begin + data.elements()) of the tensor `tensor` of shape `shape`, in host
// memory. With a remainder (i16) `data` is bf16, and the f32 that both make (join_float) is saved.
struct TensorSlice {
    std::string tensor;
    Shape shape;
    int64_t begin = 0;
    Tensor data, remainder;

    // A whole tensor.
    TensorSlice(std::string name, const Tensor& whole)
        : TensorSlice(std::move(name), whole.shape, 0, whole) {}
    TensorSlice(std::string name, Shape whole_shape, int64_t first, const Tensor& part,
                const Tensor& rest = {})
        : tensor(std::move(name)), shape(whole_shape), begin(first), data(part), remainder(rest) {}

    // What it is saved as.
    DType dtype() const { return remainder.data == nullptr ? data.dtype : DType::kF32; }
    size_t bytes() const { return static_cast<size_t>(data.elements()) * size_of(dtype()); }
};

// What goes into one safetensors file of a checkpoint ("weights.safetensors").
struct FileContents {
    std::string name;
    std::vector<TensorSlice> slices;
};

// Saves RUN/checkpoints/step-N, N = state.step. All is written to step-N.tmp-* beside it, hashed
// from memory, and brought to the disk, the manifest last; then one rename commits it. A kill at
// any moment leaves either no step-N or a complete one. On an error the temporary folder is removed
// as far as that is possible, and older checkpoints are as they were.
//
// Every rank of `group` calls it with files of names of its own, which hold what it owns; together
// they must hold each tensor whole. All of them write at once, rank 0 commits, and an error of any
// rank is thrown on all.
//
// step-N is there already, no space, or not writable: exit 73. I/O error: exit 74.
void save_checkpoint(const std::filesystem::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files, Communicator& group);
// With one rank.
void save_checkpoint(const std::filesystem::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files);

}  // namespace polytrain
