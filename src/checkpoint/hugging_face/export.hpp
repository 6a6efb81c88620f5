#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/hugging_face/config.hpp"
#include "data/tokenizer.hpp"
#include "nn/parameter.hpp"

namespace polytrain {

struct HuggingFaceExport {
    DType dtype = DType::kF32;             // or bf16: each number rounded to the nearest
    int64_t shard_bytes = 5'000'000'000;   // of tensors in a file, at most; one alone may be larger
    const Tokenizer* tokenizer = nullptr;  // null: of no text
    std::string tokenizer_text = {};       // without it: a tokenizer.json to copy, if not empty
};

// What was written.
struct HuggingFaceExported {
    StockClass stock;
    int64_t tensors = 0, bytes = 0, files = 0;  // of the weights
};

// Writes the checkpoint of a model as a Hugging Face folder that is not there yet, all of it or
// nothing: model.safetensors, or shards of it with an index; config.json; generation_config.json;
// the tokenizer's file. `parameters` are the model's. Not writable, or the folder is there: exit
// 73; a tensor that the checkpoint has not: exit 78.
HuggingFaceExported export_hugging_face(const Checkpoint& checkpoint, const ModelConfig& model,
                                        const std::vector<Parameter*>& parameters,
                                        const std::filesystem::path& folder,
                                        const HuggingFaceExport& options);

}  // namespace polytrain
