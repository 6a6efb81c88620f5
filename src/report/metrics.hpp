#pragma once
// What a run's folder tells about it: metrics.jsonl, one JSON object per optimizer step, and
// config.json, the resolved config.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ops/activation.hpp"
#include "report/chart.hpp"

namespace polytrain {

// One line of metrics.jsonl. Other keys than these are ignored.
struct MetricsRecord {
    int64_t step = 0;
    int64_t tokens = 0;          // trained on so far
    std::optional<double> loss;  // null in the file: it was not finite
    std::optional<double> tokens_per_s;
    std::optional<double> val_loss;  // where the run evaluated
    std::optional<double> mfu;
};

// What `polytrain analyze` found of a run: of charts by their titles the run's points, and the
// cosines of its hidden states.
struct RunAnalyses {
    std::map<std::string, std::vector<Point>> by_layer, by_step;
    std::vector<std::vector<double>> cosine;
};

struct RunMetrics {
    std::string name;                           // of the run's folder
    std::vector<MetricsRecord> records;         // by ascending step
    std::map<std::string, std::string> config;  // dotted key -> value, as in config.json
    // Of the model; not known where config.json is another version's.
    std::optional<int64_t> parameters;
    // The last that the file has: of each validation set where there are several, and the
    // activations' coefficients by layer.
    std::map<std::string, double> val_losses;
    std::map<int64_t, std::vector<double>> coefficients;
    RunAnalyses analyses;
};

// Reads a run's folder. Steps that a resumed run did again count as it did them last. A last line
// that was torn by a kill is skipped with a warning. Missing file: exit 66; malformed line or no
// line at all: exit 65 with file:line.
RunMetrics read_run(const std::filesystem::path& run_folder, const ActivationCatalog& catalog);

}  // namespace polytrain
