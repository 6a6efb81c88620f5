#include "config/bind.hpp"
#include "config/tables.hpp"

namespace polytrain::config {
namespace {

constexpr double kMaxSequences = 1 << 30;
constexpr double kMaxWindow = 65536;
constexpr double kMaxCount = 1e15;  // of steps or tokens

ConfigKey schedule_table() {
    const auto schedule = [](auto& config, size_t) -> auto& {
        return config.optimizer.schedule;
    };
    return {.name = "schedule",
            .doc =
                "The learning rate over steps: warm-up to lr, then down to final_ratio * lr. A "
                "length in tokens makes as many steps as hold them.",
            .keys = {
                bind(schedule, &ScheduleConfig::kind,
                     {.name = "kind",
                      .doc = "How it goes down; wsd stays at lr until its last decay_steps, which "
                             "are linear.",
                      .choices = {"cosine", "linear", "constant", "wsd"}}),
                bind(schedule, &ScheduleConfig::warmup_steps,
                     {.name = "warmup_steps",
                      .doc = "Length of the warm-up, which is linear.",
                      .unit = "steps",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::warmup_tokens,
                     {.name = "warmup_tokens",
                      .doc = "The same in tokens.",
                      .unit = "tokens",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::warmup_ratio,
                     {.name = "warmup_ratio",
                      .doc = "Where the warm-up starts, as a part of lr.",
                      .range = between(0, 1)}),
                bind(schedule, &ScheduleConfig::decay_steps,
                     {.name = "decay_steps",
                      .doc = "Length of wsd's last part, down from lr.",
                      .unit = "steps",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::decay_tokens,
                     {.name = "decay_tokens",
                      .doc = "The same in tokens.",
                      .unit = "tokens",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::final_ratio,
                     {.name = "final_ratio",
                      .doc = "The learning rate at the end, as a part of lr.",
                      .range = between(0, 1)}),
                bind(schedule, &ScheduleConfig::steps,
                     {.name = "steps",
                      .doc = "Length of the whole schedule, warm-up included; 0: the run's.",
                      .unit = "steps",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::tokens,
                     {.name = "tokens",
                      .doc = "The same in tokens.",
                      .unit = "tokens",
                      .range = between(0, kMaxCount)}),
            }};
}

ConfigKey spike_guard_table() {
    const auto guard = [](auto& config, size_t) -> auto& {
        return config.train.spike_guard;
    };
    return {
        .name = "spike_guard",
        .doc =
            "Skips the update of a step whose loss or gradient norm is far above those of the "
            "steps before it. The step counts, the data and the schedule go on.",
        .keys = {
            bind(guard, &SpikeGuardConfig::loss_z,
                 {.name = "loss_z",
                  .doc = "Skip where the loss is more than this many standard deviations above "
                         "the mean of the window; 0: never.",
                  .range = at_least(0)}),
            bind(guard, &SpikeGuardConfig::grad_z,
                 {.name = "grad_z", .doc = "The same of the gradient norm.", .range = at_least(0)}),
            bind(guard, &SpikeGuardConfig::window,
                 {.name = "window",
                  .doc = "How many last steps are looked at, skipped ones included; none is "
                         "skipped before there are so many.",
                  .unit = "steps",
                  .range = between(2, kMaxWindow)}),
        }};
}

}  // namespace

ConfigKey train_table() {
    const auto train = [](auto& config, size_t) -> auto& {
        return config.train;
    };
    return {
        .name = "train",
        .doc =
            "The loop. It ends at whichever of steps, tokens and seconds comes first; at "
            "least one of them must be set.",
        .keys = {
            bind(train, &TrainConfig::steps,
                 {.name = "steps",
                  .doc = "Optimizer steps; 0: no such limit.",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::tokens,
                 {.name = "tokens",
                  .doc = "Training tokens; 0: no such limit.",
                  .unit = "tokens",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::seconds,
                 {.name = "seconds",
                  .doc = "Time of one launch, its last save included; 0: no such limit. A run "
                         "that this ends before its steps or tokens exits 75, to be resumed. "
                         "With it alone the schedule has no last step: the rate stays at lr.",
                  .unit = "s",
                  .range = at_least(0)}),
            bind(train, &TrainConfig::batch,
                 {.name = "batch",
                  .doc = "Sequences per optimizer step, over all ranks.",
                  .unit = "sequences",
                  .range = between(1, kMaxSequences)}),
            bind(train, &TrainConfig::micro_batch,
                 {.name = "micro_batch",
                  .doc = "Sequences per forward and backward, a divisor of batch; 0: batch.",
                  .unit = "sequences",
                  .range = between(0, kMaxSequences)}),
            bind(train, &TrainConfig::recompute,
                 {.name = "recompute",
                  .doc = "What backward computes again instead of keeping it: nothing, the "
                         "activation's output, or a block's all but its input. The results "
                         "are the same, bit for bit.",
                  .choices = {"none", "activation", "block"}}),
            bind(train, &TrainConfig::cuda_graph,
                 {.name = "cuda_graph",
                  .doc = "On a GPU: record the kernels of a dense model's micro-batch once and "
                         "launch them as one CUDA graph. The bits are the same. Mixtures of "
                         "experts, and micro-batches whose gradients go to other ranks, are "
                         "launched kernel by kernel."}),
            bind(train, &TrainConfig::eval_every,
                 {.name = "eval_every",
                  .doc = "Steps between evaluations; 0: at the end only.",
                  .unit = "steps",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::eval_sequences,
                 {.name = "eval_sequences",
                  .doc = "Validation sequences used per evaluation; 0: all.",
                  .unit = "sequences",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::checkpoint_every,
                 {.name = "checkpoint_every",
                  .doc = "Steps between checkpoints; 0: at the end only.",
                  .unit = "steps",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::checkpoint_background,
                 {.name = "checkpoint_background",
                  .doc = "Save while training goes on, from a copy of weights and moments in the "
                         "host's memory. false: no copy, and training waits; on a CPU alone."}),
            bind(train, &TrainConfig::keep_last,
                 {.name = "keep_last",
                  .doc = "How many of the newest checkpoints are kept; 0: all.",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::keep_every,
                 {.name = "keep_every",
                  .doc = "Checkpoints whose step is a multiple of it are kept besides; 0: none.",
                  .unit = "steps",
                  .range = between(0, kMaxCount)}),
            bind(train, &TrainConfig::checkpoint_failure,
                 {.name = "checkpoint_failure",
                  .doc = "Where a checkpoint can't be written: stop (exit 73), or continue "
                         "with a warning until the next one; the last one must succeed.",
                  .choices = {"stop", "continue"}}),
            spike_guard_table(),
            bind(train, &TrainConfig::log_every,
                 {.name = "log_every",
                  .doc = "Steps between plain progress lines when not on a terminal.",
                  .unit = "steps",
                  .range = between(1, kMaxCount)}),
            bind(train, &TrainConfig::tensorboard,
                 {.name = "tensorboard",
                  .doc = "Write event files for TensorBoard into the run folder's tensorboard/."}),
        }};
}

ConfigKey optimizer_table() {
    const auto optimizer = [](auto& config, size_t) -> auto& {
        return config.optimizer;
    };
    return {.name = "optimizer",
            .doc = "AdamW.",
            .keys = {
                bind(optimizer, &OptimizerConfig::lr,
                     {.name = "lr", .doc = "Peak learning rate.", .range = between(0, 1000)}),
                bind(optimizer, &OptimizerConfig::beta1,
                     {.name = "beta1",
                      .doc = "Decay of the mean of gradients.",
                      .range = from_up_to_below(0, 1)}),
                bind(optimizer, &OptimizerConfig::beta2,
                     {.name = "beta2",
                      .doc = "Decay of the mean of squared gradients.",
                      .range = from_up_to_below(0, 1)}),
                bind(optimizer, &OptimizerConfig::eps,
                     {.name = "eps",
                      .doc = "Added to the root of the mean square.",
                      .range = between(1e-30, 1)}),
                bind(optimizer, &OptimizerConfig::weight_decay,
                     {.name = "weight_decay",
                      .doc = "Decoupled decay of matrices; never of activation coefficients.",
                      .range = at_least(0)}),
                bind(optimizer, &OptimizerConfig::decay_embeddings,
                     {.name = "decay_embeddings",
                      .doc = "Decay the embedding too; a tied head shares its matrix."}),
                bind(optimizer, &OptimizerConfig::decay_gains,
                     {.name = "decay_gains", .doc = "Decay the gains of norms too."}),
                bind(optimizer, &OptimizerConfig::clip,
                     {.name = "clip",
                      .doc = "Largest norm of the whole gradient; 0: none.",
                      .range = at_least(0)}),
                schedule_table(),
            }};
}

}  // namespace polytrain::config
