#include "config/tables.hpp"

#include "config/bind.hpp"

namespace polytrain::config {
namespace {

constexpr double kMaxRanks = 1 << 20;

ConfigKey data_table() {
    const auto data = [](auto& config, size_t) -> auto& {
        return config.data;
    };
    const auto source = [](auto& config, size_t index) -> auto& {
        return config.data.train[index];
    };
    return {
        .name = "data",
        .doc =
            "What the model reads. Relative paths start at the current working directory, "
            "not at the config file.",
        .keys = {
            bind_list(
                data, &DataConfig::train,
                {.name = "train",
                 .doc = "Token files to train on.",
                 .keys =
                     {
                         bind(source, &SourceConfig::path,
                              {.name = "path",
                               .doc = "A token file of any format that docs/data.md lists.",
                               .required = true}),
                         bind(
                             source, &SourceConfig::weight,
                             {.name = "weight",
                              .doc = "Share of the training samples, relative to the other files'.",
                              .range = above(0)}),
                         bind(source, &SourceConfig::format,
                              {.name = "format",
                               .doc = "auto tells by the file's name, header and neighbours; raw "
                                      "is ids without a header, as nanoGPT has them.",
                               .choices = {"auto", "polytrain", "megatron", "npy", "llmc", "raw"}}),
                         bind(source, &SourceConfig::dtype,
                              {.name = "dtype",
                               .doc = "Of the ids in npy and raw files; auto: uint32 if "
                                      "model.vocab_size is above 65,536, else uint16.",
                               .choices = {"auto", "uint16", "uint32"}}),
                     }}),
            bind(
                data, &DataConfig::validation,
                {.name = "validation",
                 .doc = "Token files to evaluate on, each under a name for the reports; the format "
                        "is told as by auto."}),
            bind(data, &DataConfig::tokenizer,
                 {.name = "tokenizer",
                  .doc =
                      "What made the tokens: bytes, the path of a tokenizer.json, or chars, which "
                      "is the tokenizer.json beside the first training file."}),
            bind(data, &DataConfig::synthetic,
                 {.name = "synthetic",
                  .doc = "A built-in random token stream in place of token files."}),
            bind(data, &DataConfig::repetition_filter,
                 {.name = "repetition_filter",
                  .doc = "Leave out of the loss training sequences in which 1 to 13 tokens repeat "
                         "32 times or more in a row, as OLMo does."}),
            bind(data, &DataConfig::allow_changed,
                 {.name = "allow_changed",
                  .doc = "Resume although the training data changed since the checkpoint; else "
                         "that is an error."}),
        }};
}

ConfigKey parallel_table() {
    const auto parallel = [](auto& config, size_t) -> auto& {
        return config.parallel;
    };
    return {
        .name = "parallel",
        .doc = "How the work is spread over the ranks that mpirun starts.",
        .keys = {
            bind(parallel, &ParallelConfig::expert,
                 {.name = "expert",
                  .doc = "Ranks that share out the experts of a layer; it divides the number of "
                         "ranks and of experts.",
                  .unit = "ranks",
                  .range = between(1, kMaxRanks)}),
            bind(parallel, &ParallelConfig::expert_rows,
                 {.name = "expert_rows",
                  .doc = "With parallel.expert above 1, the rows that a rank has room for at its "
                         "experts, at least a micro-batch's tokens; where more arrive they come in "
                         "waves, and results don't depend on how many. 0: room for all that may "
                         "arrive.",
                  .unit = "rows",
                  .range = at_least(0)}),
            bind(parallel, &ParallelConfig::sharding,
                 {.name = "sharding",
                  .doc = "What ranks that hold the same parameters share out: nothing (0), the "
                         "optimizer's state (1), the gradients' sums too (2).",
                  .range = between(0, 2)}),
            bind(parallel, &ParallelConfig::reduction,
                 {.name = "reduction",
                  .doc = "How gradients are summed: deterministic gives the same bits for the same "
                         "number of ranks, exact for any; it wants a batch of a power of two of "
                         "micro-batches.",
                  .choices = {"deterministic", "exact"}}),
            bind(parallel, &ParallelConfig::timeout_s,
                 {.name = "timeout_s",
                  .doc = "How long a rank waits for another before it ends the run with exit code "
                         "69, naming the missing one; 0: for ever.",
                  .unit = "s",
                  .range = at_least(0)}),
        }};
}

}  // namespace

ConfigKey config_table(const ActivationCatalog& catalog) {
    const auto run = [](auto& config, size_t) -> auto& {
        return config;
    };
    return {
        .name = "",
        .doc = "All that a run is told.",
        .keys = {
            {.name = "extends",
             .type = KeyType::kText,
             .doc = "A config to start from, relative to this file: objects merge, all else is "
                    "replaced."},
            bind(run, &RunConfig::seed,
                 {.name = "seed",
                  .doc = "What every random number of the run follows from.",
                  .range = at_least(0)}),
            bind(run, &RunConfig::device,
                 {.name = "device",
                  .doc =
                      "Where tensors live; auto is cuda where there is a device (of several, that "
                      "of the rank's number on its machine), else the CPU.",
                  .choices = {"auto", "cpu", "cuda"}}),
            bind(run, &RunConfig::precision,
                 {.name = "precision",
                  .doc = "Number type of weights and activations; auto is f32 on the CPU, bf16 on "
                         "CUDA. With bf16, arithmetic, gradients and the weights that are updated "
                         "and saved stay f32. A CPU without bf16 instructions refuses to train in "
                         "bf16.",
                  .choices = {"auto", "f32", "bf16"}}),
            bind(run, &RunConfig::threads,
                 {.name = "threads",
                  .doc =
                      "CPU threads; 0: OMP_NUM_THREADS where set, else the processors the process "
                      "may use. Results don't depend on it.",
                  .range = between(0, 4096)}),
            model_table(catalog),
            data_table(),
            train_table(),
            eval_table(),
            optimizer_table(),
            parallel_table(),
            {.name = "ops",
             .doc = "How single operations are run.",
             .keys = {bind(run, &RunConfig::ops_force,
                           {.name = "force",
                            .doc = "Op name to the implementation that shall run it, to bisect a "
                                   "bug."})}},
        }};
}

}  // namespace polytrain::config
