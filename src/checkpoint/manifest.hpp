#pragma once
// manifest.json of a checkpoint: sealed JSON that names every byte of it. It is written last.
//
//   format "polytrain-checkpoint", version 2, program (who wrote it),
//   step, updates, tokens, next_sample, loss_window, grad_norm_window, data_fingerprint,
//   config (JSON text),
//   files: [ name, bytes, header_bytes, header_hash, slices ], the slices in the file's order, from
//     the end of its header to its end:
//   slices: [ tensor (name), dtype, shape (both of the whole tensor), begin, end (elements),
//     byte_begin, byte_end, hash ]
//
// The slices of a tensor may lie in several files; together they hold each element once.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.hpp"
#include "tensor/shape.hpp"

namespace polytrain {

// What a run needs beside its tensors to go on.
struct TrainState {
    int64_t step = 0;         // steps done, those included that the spike guard skipped
    int64_t tokens = 0;       // tokens of these steps
    int64_t next_sample = 0;  // global index of the first sample that was not used
    std::string data_fingerprint;
    std::string config_json;  // the resolved config
    int64_t updates = 0;      // of the weights: Adam's bias correction counts these
    // Of the last steps, oldest first, as far as train.spike_guard looks at them.
    std::vector<double> loss_window = {}, grad_norm_window = {};
    bool operator==(const TrainState&) const = default;
};

struct Manifest {
    struct Slice {
        std::string tensor;
        DType dtype = DType::kF32;
        Shape shape;
        int64_t begin = 0, end = 0;
        int64_t byte_begin = 0, byte_end = 0;
        std::string hash;
    };
    struct File {
        std::string name;
        int64_t bytes = 0;
        int64_t header_bytes = 0;
        std::string header_hash;
        std::vector<Slice> slices;
    };
    std::string program;
    TrainState state;
    std::vector<File> files;
};

inline constexpr const char* kManifestName = "manifest.json";

// Whether a file of this name, next to the manifest, can only be inside the checkpoint's folder.
bool is_plain_file_name(std::string_view name);

std::string manifest_text(const Manifest& manifest);

// Files as JSON text, by which ranks tell each other what they wrote, and back.
std::string files_text(const std::vector<Manifest::File>& files);
std::vector<Manifest::File> files_from_text(const std::string& text);

// What contradicts the description above, or an empty text: file names that are not plain names,
// slices that leave bytes of a file or elements of a tensor out, or have them twice.
std::string manifest_problem(const Manifest& manifest);

// Reads and checks a manifest. Missing: exit 66; damaged or of another version: exit 65.
Manifest read_manifest(const std::filesystem::path& path);

}  // namespace polytrain
