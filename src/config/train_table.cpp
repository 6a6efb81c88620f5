#include "config/bind.hpp"
#include "config/tables.hpp"

namespace polytrain::config {
namespace {

constexpr double kMaxSequences = 1 << 30;
constexpr double kMaxCount = 1e15;  // of steps or tokens

ConfigKey schedule_table() {
    const auto schedule = [](auto& config, size_t) -> auto& {
        return config.optimizer.schedule;
    };
    return {.name = "schedule",
            .doc =
                "The learning rate over steps: linear from 0 to lr, then down to final_ratio * "
                "lr at the last step.",
            .keys = {
                bind(schedule, &ScheduleConfig::kind,
                     {.name = "kind",
                      .doc = "How it goes down.",
                      .choices = {"cosine", "linear", "constant"}}),
                bind(schedule, &ScheduleConfig::warmup_steps,
                     {.name = "warmup_steps",
                      .doc = "Steps from 0 to lr; at most train.steps where that is set.",
                      .unit = "steps",
                      .range = between(0, kMaxCount)}),
                bind(schedule, &ScheduleConfig::final_ratio,
                     {.name = "final_ratio",
                      .doc = "The last step's learning rate, as a part of lr.",
                      .range = between(0, 1)}),
            }};
}

}  // namespace

ConfigKey train_table() {
    const auto train = [](auto& config, size_t) -> auto& {
        return config.train;
    };
    return {.name = "train",
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
                      .doc = "Training time of one launch; 0: no such limit. With it alone the "
                             "schedule has no last step: the rate stays at lr.",
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
                fixed("none", {.name = "recompute",
                               .doc = "What backward computes again instead of keeping it.",
                               .choices = {"none"},
                               .later_choices = {"activation", "block"}}),
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
                bind(train, &TrainConfig::log_every,
                     {.name = "log_every",
                      .doc = "Steps between plain progress lines when not on a terminal.",
                      .unit = "steps",
                      .range = between(1, kMaxCount)}),
                bind(train, &TrainConfig::tensorboard,
                     {.name = "tensorboard",
                      .doc = "Write event files for TensorBoard into the run folder's "
                             "tensorboard/."}),
            }};
}

ConfigKey optimizer_table() {
    const auto optimizer = [](auto& config, size_t) -> auto& {
        return config.optimizer;
    };
    return {
        .name = "optimizer",
        .doc = "AdamW.",
        .keys = {
            bind(optimizer, &OptimizerConfig::lr,
                 {.name = "lr", .doc = "Peak learning rate.", .range = at_least(0)}),
            bind(optimizer, &OptimizerConfig::beta1,
                 {.name = "beta1",
                  .doc = "Decay of the mean of gradients.",
                  .range = from_up_to_below(0, 1)}),
            bind(optimizer, &OptimizerConfig::beta2,
                 {.name = "beta2",
                  .doc = "Decay of the mean of squared gradients.",
                  .range = from_up_to_below(0, 1)}),
            bind(
                optimizer, &OptimizerConfig::eps,
                {.name = "eps", .doc = "Added to the root of the mean square.", .range = above(0)}),
            bind(optimizer, &OptimizerConfig::weight_decay,
                 {.name = "weight_decay",
                  .doc = "Decay of matrices; never of gains, embeddings or coefficients.",
                  .range = at_least(0)}),
            bind(optimizer, &OptimizerConfig::clip,
                 {.name = "clip",
                  .doc = "Largest norm of the whole gradient; 0: none.",
                  .range = at_least(0)}),
            schedule_table(),
        }};
}

}  // namespace polytrain::config
