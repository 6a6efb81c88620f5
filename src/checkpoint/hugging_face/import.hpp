#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/hugging_face/config.hpp"
#include "checkpoint/hugging_face/files.hpp"
#include "nn/parameter.hpp"

namespace polytrain {

// The order of the polynomials of a released model (HuggingFaceModel::released), which its config
// doesn't tell: that of layer 0's coefficients. None there: exit 65.
int64_t released_order(const HuggingFaceFiles& files);

// Saves the tensors, in f32, as RUN/checkpoints/step-0 of a run that made no step yet and whose
// config is `config_json`; `parameters` are the model's. Every parameter must be there in its shape
// and every tensor be used, but for layers' rotary tables, which must be what follows from the
// config, and a tied head that repeats the embedding: else exit 65 with the names.
// save_checkpoint()'s errors.
void import_hugging_face(const HuggingFaceFiles& files, const HuggingFaceModel& model,
                         const std::vector<Parameter*>& parameters,
                         const std::filesystem::path& run_folder, const std::string& config_json);

}  // namespace polytrain
