#pragma once
// A model in memory: planned, allocated, and either initialised or restored. TrainingSession adds
// the optimizer; InferenceSession has no gradients.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/save.hpp"
#include "config/run_config.hpp"
#include "data/host_batch.hpp"
#include "eval/packed_sequences.hpp"
#include "model/transformer.hpp"
#include "optim/adamw.hpp"
#include "tensor/repeated_work.hpp"
#include "train/step_statistics.hpp"

namespace polytrain {

// The storage type that `precision` means.
DType storage_type(const RunConfig& config);

// Micro-batches that each rank works on in a step. A batch that the ranks can't share out evenly,
// or experts that they can't: exit 78.
int64_t rounds_of(const RunConfig& config, const Layout& layout);

// Learned numbers of activations by the name of their parameter; those that each expert has, by
// expert: "layers.0.moe.experts.5.coefficients".
using CoefficientSets = std::vector<std::pair<std::string, std::vector<double>>>;
// Of one parameter, [P] or [experts, P].
CoefficientSets coefficient_sets(const std::string& name, const Shape& shape,
                                 const std::vector<float>& values);

// The model and optimizer of a run on one of its ranks and their memory plan; needs no device
// memory, no data and no other ranks.
struct TrainingPlan {
    Layout layout;
    int64_t rounds = 1;
    std::unique_ptr<Transformer> model;
    std::unique_ptr<GradientReducer> reducer;
    std::unique_ptr<AdamWOptimizer> optimizer;
    MemoryPlan memory;
    TensorId snapshot;  // of what the rank saves, in host memory; none where saves are waited for
};
TrainingPlan plan_training(const RunConfig& config, const OpTable& ops, const Layout& layout = {});

// What a step did.
struct StepResult {
    double loss = 0;    // cross-entropy, mean over the scored tokens, in nats
    double z_loss = 0;  // the same of the weighted z-loss (model.z_loss)
    double balance_loss = 0, router_z_loss = 0;  // weighted, means over the routed tokens
    double grad_norm = 0;                        // before clipping
    int64_t scored = 0;                          // tokens, of all ranks
    std::vector<RouterLoad> loads;               // of each layer with experts
};

class TrainingSession {
  public:
    // Prints nothing. Out of memory: exit 70 with the plan. Without a grid there is one rank; it
    // must outlive the session. What is said of steps, saving and restoring all ranks do together.
    TrainingSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                    const Grid* grid = nullptr);
    // What is on its way to other ranks lies in the arena, and goes before it.
    ~TrainingSession() { plan_.reducer.reset(); }
    TrainingSession(const TrainingSession&) = delete;
    TrainingSession& operator=(const TrainingSession&) = delete;

    const MemoryPlan& memory() const { return plan_.memory; }
    const Transformer& model() const { return *plan_.model; }

    void initialise(uint64_t seed);
    // This rank's weights and moments of a checkpoint, of any layout; without an update it needs no
    // moments. A tensor that is missing or of another shape: exit 78.
    void restore(const Checkpoint& checkpoint);
    // The weights and moments that this rank owns, in host memory: a copy that is valid until the
    // next call, or (train.checkpoint_background off) the session's own, valid until the next
    // update. A weight that isn't finite is not to be saved: exit 76.
    std::vector<FileContents> snapshot(int64_t step);

    // Micro-batches accumulate: begin_step, then accumulate for each of this rank's, then
    // measure_step, which divides once by the count of scored tokens, then update, which clips. A
    // loss or gradient that isn't finite: measure_step exits 76, naming the first bad tensor.
    // `number` counts updates from 1: a step without one leaves weights and moments as they are.
    //
    // begin_step is told the scored tokens of all ranks, which auxiliary losses are scaled by, and
    // the micro-batches, which must stay until measure_step returns: it counts their routes where
    // model.moe.scope is global. Without them all tokens are taken to be scored, and one
    // micro-batch to be all.
    void begin_step(std::optional<int64_t> scored = {}, std::span<const HostBatch> batches = {});
    void accumulate(const HostBatch& batch);
    StepResult measure_step(int64_t step);
    void update(int64_t number, double lr);

    // The sum over scored tokens of their losses; parameters and gradients stay as they are.
    double loss_sum(const HostBatch& batch) const;

    // The activations' learned numbers, in the model's order.
    CoefficientSets coefficients() const;

    // Of the last step, before clipping and division: the sum of a parameter's gradients over all
    // micro-batches, as the shard that this rank owns.
    Tensor own_gradient(const Parameter& parameter) const {
        return plan_.reducer->own_sum(pass(), parameter);
    }
    // Whether micro-batches are launched as one now (train.cuda_graph).
    bool has_graph() const { return micro_batch_.is_recorded(); }
    Pass pass() const { return {ops_, arena_, stream_, 0, 0, &grid_, &groups_, auxiliary_seed_}; }

  private:
    int64_t scored() const;
    std::string first_bad_activation() const;
    std::string first_bad_tensor() const;

    const OpTable& ops_;
    Grid alone_;  // where no grid was given
    const Grid& grid_;
    double bias_rate_;
    int64_t step_rows_;
    TrainingPlan plan_;
    Arena arena_;
    Stream stream_;
    TensorGroups groups_;
    RepeatedWork micro_batch_;  // forward and backward, of a dense model
    std::unique_ptr<std::byte[]> snapshot_;
    StepStatistics statistics_;
    double auxiliary_seed_ = 1, step_norm_ = 0;
    std::optional<int64_t> told_scored_;
    int64_t step_scored_ = 0;
    int64_t round_ = 0;                   // of the step
    std::span<const HostBatch> batches_;  // as begin_step was told
    // The first of the step whose loss wasn't finite, on this rank.
    std::optional<HostBatch> bad_batch_;
    int64_t bad_round_ = 0;
};

// Of an InferenceSession on a rank of this layout, whose weights are a training session's.
Planner borrowing_planner(const RunConfig& config, const OpTable& ops, const Layout& layout,
                          int64_t time, int64_t cache, MemoryPlan& memory);

// A model in memory, without gradients: for evaluation, and under a Decoder.
class InferenceSession {
  public:
    // Planned for `batch` sequences of `time` tokens (0: the model's context), and with `cache` > 0
    // for keys and values of so many tokens, as Planner has it, and keeps_activations. Out of
    // memory: exit 70 with the plan. A checkpoint of another model: exit 78.
    InferenceSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                     const Checkpoint& checkpoint, int64_t batch = 1, int64_t time = 0,
                     int64_t cache = 0, bool keeps_activations = false);
    // The model that `training`, which must outlive it, is training, with its weights as they are
    // at each call; as above for one sequence. Its ranks share the experts: all make each pass.
    InferenceSession(const RunConfig& config, const TrainingSession& training, int64_t time,
                     int64_t cache);

    const Transformer& model() const { return model_; }
    const MemoryPlan& memory() const { return memory_; }
    // For all planned rows, or `rows` of them behind `position` tokens in the cache.
    Pass pass(int64_t rows = 0, int64_t position = 0) const {
        return {ops_, *arena_, stream_, rows, position, grid_, groups_};
    }

    // The sum over a whole batch's scored tokens of their losses.
    double loss_sum(const HostBatch& batch) const;
    // The layers alone over a whole batch.
    void run_layers(const HostBatch& batch) const;
    // What the last pass left in a planned f32 tensor ("layers.0.out_NC"), in host memory; of what
    // doesn't go from layer to layer, only where the session keeps_activations.
    std::vector<float> values(const std::string& tensor) const;
    // The losses in nats of what is looked for in sequences, of none perhaps; planned with a cache.
    std::vector<double> losses(const PackedSequences& packed) const;

  private:
    const OpTable& ops_;
    Transformer model_;
    MemoryPlan memory_;
    std::unique_ptr<Arena> arena_;
    std::optional<Stream> own_stream_;
    const Stream& stream_;  // a training session's, or our own
    // Of a training session.
    const Grid* grid_ = nullptr;
    const TensorGroups* groups_ = nullptr;
};

}  // namespace polytrain
