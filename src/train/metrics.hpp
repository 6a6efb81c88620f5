#pragma once
// metrics.jsonl: one JSON object a step. A line that can't be written costs the line, never the
// run.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

namespace polytrain {

struct StepMetrics {
    int64_t step = 0;    // from 1
    int64_t tokens = 0;  // trained on so far
    double loss = 0;     // mean over the step's scored tokens, nats
    double grad_norm = 0;
    double lr = 0;
    double tokens_per_s = 0;
    double data_wait_s = 0;  // of the step's time, what it waited for its batches
    bool skipped = false;    // by train.spike_guard
    std::optional<int64_t> filtered_sequences;  // by data.repetition_filter, where it is on
    // By name of the validation set; empty when the step was not followed by an evaluation.
    std::map<std::string, double> validation;

    // The mean over the sets.
    std::optional<double> val_loss() const;
};

class MetricsFile {
  public:
    // Opens `path` to append; lines of steps after `last_step` (of a run that was cut off after its
    // checkpoint) are dropped first. Cannot write: exit 73.
    MetricsFile(std::filesystem::path path, int64_t last_step);
    void append(const StepMetrics& metrics);

  private:
    std::filesystem::path path_;
    std::ofstream out_;
    bool warned_ = false;
};

}  // namespace polytrain
