#pragma once
// What a run's folder tells about it: metrics.jsonl, one JSON object per optimizer step, and
// config.json, the resolved config.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
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

// What `polytrain analyze` found of a run: of charts by their titles the run's curve, and the
// cosines of its hidden states (NaN where there is none).
struct RunAnalyses {
    struct Part {
        std::string source;  // ", step 4, data/held_out.bin": what it is of, behind the run's name
        std::vector<Point> points;
    };
    std::map<std::string, Part> by_layer, by_step;
    std::string cosine_source;
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

// Calls `read` with the step of each line of a metrics.jsonl, the line, an object, and "file:line".
// A last line that was torn by a kill is skipped with a warning. Missing: exit 66; malformed, also
// where `read` throws an exception of nlohmann's: exit 65 with file:line.
using ReadMetricsLine =
    std::function<void(int64_t step, const nlohmann::json& line, const std::string& where)>;
void for_each_metrics_line(const std::filesystem::path& path, const ReadMetricsLine& read);

// Reads a run's folder. Steps that a resumed run did again count as it did them last. One that was
// analysed and never trained (imported) has no metrics.jsonl: it is at step 0. Errors as above; no
// line at all: exit 65.
RunMetrics read_run(const std::filesystem::path& run_folder, const ActivationCatalog& catalog);

}  // namespace polytrain
