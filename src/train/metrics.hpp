#pragma once
// metrics.jsonl: one JSON object a step (docs/metrics.md). A line that can't be written costs the
// line, never the run.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/append_file.hpp"
#include "eval/task_set.hpp"
#include "train/step_statistics.hpp"

namespace polytrain {

struct StepMetrics {
    int64_t step = 0;              // from 1
    int64_t tokens = 0;            // trained on so far
    double loss = 0;               // mean over the step's scored tokens, nats
    std::optional<double> z_loss;  // the same of the weighted z-loss, where model.z_loss is on
    double grad_norm = 0;
    // Of a mixture of experts: the weighted losses of its routers, and each layer's load.
    double balance_loss = 0, router_z_loss = 0;
    std::vector<RouterLoad> loads;
    double lr = 0;
    double tokens_per_s = 0;
    double mfu = 0;          // model FLOP/s as a share of what products alone reach on this machine
    double data_wait_s = 0;  // of the step's time, what it waited for its batches
    bool skipped = false;    // by train.spike_guard
    std::optional<int64_t> filtered_sequences;  // by data.repetition_filter, where it is on
    // By name of the validation set; empty when the step was not followed by an evaluation.
    std::map<std::string, double> validation;
    std::vector<TaskResult> tasks;  // empty when the step was followed by none
    // Of every activation, by the parameter's name, in the model's order; empty like `validation`.
    std::vector<std::pair<std::string, std::vector<double>>> coefficients;

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
    AppendFile out_;
    bool warned_ = false;
};

// A run whose last evaluation a signal cut off has a last line, of `step`, without it: `evaluate`
// is then called, and where it returns true what it found is put into that line.
void add_last_evaluation(const std::filesystem::path& path, int64_t step,
                         const std::function<bool(StepMetrics&)>& evaluate);

}  // namespace polytrain
