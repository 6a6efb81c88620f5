#pragma once
// What `polytrain analyze` finds, as the JSON of docs/analysis.md.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "app/trained_model.hpp"

namespace polytrain {

// Tokens to run a model over: `sequences` windows of a token file, evenly spaced.
struct AnalysisData {
    SourceConfig source = {};  // without a path: the run's first validation set
    int64_t sequences = 8;
};

// Effective rank of each feed-forward matrix; of a layer's experts their mean. Weights that are not
// finite: exit 76.
nlohmann::ordered_json analyze_rank(const TrainedModel& trained);
// Mean cosine of the hidden states before the first layer and after each, in f32. No token file:
// exit 2. Errors as ValidationReader's.
nlohmann::ordered_json analyze_similarity(const TrainedModel& trained, const AnalysisData& data);
// What goes into each layer's activation and what comes out, in f32. Errors as above.
nlohmann::ordered_json analyze_activations(const TrainedModel& trained, const AnalysisData& data);
// The learned numbers of activations at every step that a run's metrics.jsonl or a checkpoint has
// them of; checkpoints that don't verify are told and passed over. None anywhere: exit 66; a
// malformed metrics.jsonl: exit 65 with file:line.
nlohmann::ordered_json analyze_coefficients(const std::filesystem::path& run);

}  // namespace polytrain
