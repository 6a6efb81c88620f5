#pragma once
// RunConfig: all that a run is told, with defaults. config/tables.hpp binds it to JSON.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/data_config.hpp"
#include "data/task_source.hpp"
#include "model/model_config.hpp"
#include "optim/optimizer_config.hpp"

namespace polytrain {

// When a step is skipped, its update not made; z 0: never for that reason.
struct SpikeGuardConfig {
    double loss_z = 0, grad_z = 0;  // standard deviations above the mean of the last steps
    int64_t window = 128;           // steps
    bool operator==(const SpikeGuardConfig&) const = default;
};

struct TrainConfig {
    // The run ends at whichever comes first; 0: no such limit. The schedule spans steps (or, when
    // only tokens are given, the steps they make).
    int64_t steps = 0;
    int64_t tokens = 0;
    double seconds = 0;
    int64_t batch = 16;                 // sequences per optimizer step, over all ranks
    int64_t micro_batch = 0;            // sequences per forward and backward; 0: batch
    std::string recompute = "none";     // "none", "activation", "block"
    bool cuda_graph = true;             // launch a dense model's micro-batch as one
    int64_t eval_every = 0;             // steps; 0: at the end only
    int64_t eval_sequences = 0;         // validation sequences used per evaluation; 0: all
    int64_t checkpoint_every = 0;       // steps; 0: at the end only
    bool checkpoint_background = true;  // from a copy, while training goes on
    int64_t log_every = 10;             // steps between plain progress lines when not on a terminal
    int64_t keep_last = 0;              // checkpoints; 0: all
    int64_t keep_every = 0;             // steps whose multiples are kept for good; 0: none
    std::string checkpoint_failure = "stop";  // "stop", "continue"
    SpikeGuardConfig spike_guard = {};
    bool tensorboard = true;  // write RUN/tensorboard
    bool operator==(const TrainConfig&) const = default;
};

// Tasks that are asked while the model trains.
struct EvalConfig {
    std::vector<TaskSource> tasks = {};
    int64_t every = 0;         // steps; 0: as train.eval_every
    int64_t batch_tokens = 0;  // of a forward pass; 0: the usual number
    bool operator==(const EvalConfig&) const = default;
};

// How the work is spread over the ranks of a launch; their number is the launcher's to say.
struct ParallelConfig {
    int64_t expert = 1;    // ranks that share the experts of a layer
    int64_t sharding = 0;  // over the ranks that hold the same parameters: 0, 1, 2
    std::string reduction = "deterministic";  // "deterministic", "exact"
    int64_t expert_rows = 0;                  // that experts work on at once; 0: all
    double timeout_s = 600;                   // until a silent rank is given up; 0: never
    bool operator==(const ParallelConfig&) const = default;
};

struct RunConfig {
    uint64_t seed = 1;
    std::string device = "auto";     // "auto", "cpu", "cuda"
    std::string precision = "auto";  // "auto", "f32", "bf16"
    int64_t threads = 0;             // 0: OMP_NUM_THREADS where set, else the usable processors
    ModelConfig model;
    DataConfig data;
    TrainConfig train;
    EvalConfig eval;
    OptimizerConfig optimizer;
    ParallelConfig parallel;
    std::map<std::string, std::string> ops_force;  // op base name -> implementation
    bool operator==(const RunConfig&) const = default;
};

// The step at which train.steps and train.tokens end the run; 0: there is no such limit.
int64_t last_step(const RunConfig& config);

}  // namespace polytrain
