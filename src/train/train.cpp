#include "train/train.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "config/load.hpp"
#include "core/checked.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "data/data_tokenizer.hpp"
#include "data/loader.hpp"
#include "data/prefetcher.hpp"
#include "model/estimate.hpp"
#include "optim/schedule.hpp"
#include "train/metrics.hpp"
#include "train/peak.hpp"
#include "train/progress.hpp"
#include "train/run_folder.hpp"
#include "train/session.hpp"
#include "train/tensorboard.hpp"

namespace polytrain {
namespace {

constexpr int kBatchesAhead = 3;

// The step at which the limits of steps and tokens end the run; 0: there is no such limit.
int64_t last_step(const RunConfig& config) {
    const TrainConfig& train = config.train;
    int64_t last = train.steps > 0 ? train.steps : std::numeric_limits<int64_t>::max();
    if (train.tokens > 0)
        last = std::min(last, ceil_div(train.tokens, train.batch * config.model.context));
    return last == std::numeric_limits<int64_t>::max() ? 0 : last;
}

class Run {
  public:
    Run(const RunConfig& config, const TrainOptions& options, Backend& backend, const OpTable& ops)
        : config_(config),
          options_(options),
          last_step_(last_step(config)),
          tokenizer_(config.data),
          loader_(config.data, tokenizer_, config.seed, config.model.context,
                  config.model.vocab_size),
          session_(config, backend, ops),
          batch_(config.train.micro_batch * config.model.context) {
        open_validation();
        const std::string tokenizer_text = check_tokenizer();
        const OpenedRun opened =
            open_run_folder(options.run_folder, options.resume, config, ops.activations());
        state_.config_json = emit_config(config, ops.activations());
        state_.data_fingerprint = loader_.fingerprint();
        if (opened.checkpoint)
            resume(*opened.checkpoint);
        else
            session_.initialise(config.seed);
        begin_run(options.run_folder, opened.passed_over, state_.config_json, tokenizer_text);
        measure(backend, ops);
        start_reading();
        describe();
    }

    TrainResult run() {
        MetricsFile metrics_file(options_.run_folder / "metrics.jsonl", state_.step);
        std::optional<TensorBoard> tensorboard;
        if (config_.train.tensorboard)
            tensorboard.emplace(options_.run_folder / "tensorboard", state_.step);
        Progress progress(last_step_, config_.train.seconds, config_.train.log_every, watch_);
        bool finished = last_step_ > 0 && state_.step >= last_step_;
        while (!finished) {
            StepMetrics metrics = step();
            // Decided once a step: the clock must not run out between evaluation and save.
            finished = is_last_step();
            if (finished || every(config_.train.eval_every)) {
                metrics.validation = evaluate();
                metrics.coefficients = session_.coefficients();
            }
            metrics_file.append(metrics);
            if (tensorboard) tensorboard->append(metrics);
            progress.show(metrics);
            if (finished || every(config_.train.checkpoint_every)) save();
        }
        return {state_.step, state_.tokens, options_.run_folder};
    }

  private:
    void open_validation() {
        std::map<std::string, std::string> sets = config_.data.validation;
        if (config_.data.synthetic) sets = {{"synthetic", ""}};
        for (const auto& [name, path] : sets)
            validation_.emplace(
                name, std::make_unique<ValidationReader>(
                          config_.data, tokenizer_, path, config_.seed, config_.model.context,
                          config_.model.vocab_size, config_.train.eval_sequences));
    }

    // The text of the tokenizer's file. Its ids must be the model's, also where the token files
    // don't say which tokenizer made them.
    std::string check_tokenizer() const {
        if (config_.data.synthetic) return {};
        const int64_t vocab_size = tokenizer_.get().vocab_size();
        if (vocab_size > config_.model.vocab_size)
            fail(ExitCode::kBadConfig,
                 "data.tokenizer: {} has a vocabulary of {}, larger than the model's of {} "
                 "(model.vocab_size)",
                 tokenizer_.name(), vocab_size, config_.model.vocab_size);
        return tokenizer_.get().file_text();
    }

    void resume(const Checkpoint& checkpoint) {
        const TrainState& saved = checkpoint.state();
        if (saved.data_fingerprint != state_.data_fingerprint) {
            const std::string changed = fmt::format(
                "{}: the training data are not those of this checkpoint (fingerprint {} then, {} "
                "now)",
                checkpoint.folder().string(), saved.data_fingerprint, state_.data_fingerprint);
            if (!config_.data.allow_changed)
                fail(ExitCode::kBadConfig,
                     "{}: its place in them would mean nothing. Restore the token files, start a "
                     "new run with another --out, or, to go on with these from the same sample "
                     "number, set data.allow_changed",
                     changed);
            log::warn("{}; data.allow_changed: going on with these from sample {}", changed,
                      saved.next_sample);
        }
        session_.restore(checkpoint);
        state_.step = saved.step;
        state_.tokens = saved.tokens;
        state_.next_sample = saved.next_sample;
        log::info("resuming from {}", checkpoint.folder().string());
    }

    // From here on micro-batches are read ahead of the steps that use them.
    void start_reading() {
        const int64_t count = config_.train.micro_batch;
        const auto fill = [this, count, first = state_.next_sample](int64_t number,
                                                                    HostBatch& batch) {
            batch.filtered =
                loader_.fill(first + number * count, count, batch.ids.data(), batch.targets.data());
        };
        prefetcher_.emplace(count * config_.model.context, kBatchesAhead, fill);
    }

    // What the speed of the steps is told as a share of.
    void measure(Backend& backend, const OpTable& ops) {
        flops_per_token_ = flops_per_token(config_.model, session_.model().parameters());
        const auto step_tokens = static_cast<double>(config_.train.batch * config_.model.context);
        peak_ = measure_peak(backend, ops, storage_type(config_), flops_per_token_ * step_tokens);
    }

    void describe() const {
        const ParameterCount count = count_parameters(session_.model().parameters());
        log::info(
            "{} parameters, {} activation coefficients, {:.3g} FLOPs per token; matrix products "
            "reach {:.3g} FLOP/s; memory:\n{}",
            count.parameters, count.coefficients, flops_per_token_, peak_,
            session_.memory().table());
    }

    bool is_last_step() const {
        return (last_step_ > 0 && state_.step >= last_step_) ||
               (config_.train.seconds > 0 && watch_.seconds() >= config_.train.seconds);
    }
    bool every(int64_t steps) const { return steps > 0 && state_.step % steps == 0; }

    StepMetrics step() {
        const Stopwatch step_watch;
        const TrainConfig& train = config_.train;
        StepMetrics metrics;
        int64_t filtered = 0;
        session_.begin_step();
        for (int64_t done = 0; done < train.batch; done += train.micro_batch) {
            const Stopwatch data_watch;
            const HostBatch& batch = prefetcher_->next();
            metrics.data_wait_s += data_watch.seconds();
            filtered += batch.filtered;
            session_.accumulate(batch);
        }
        if (config_.data.repetition_filter) metrics.filtered_sequences = filtered;
        metrics.step = state_.step + 1;
        metrics.lr =
            learning_rate(config_.optimizer, metrics.step,
                          last_step_ > 0 ? last_step_ : std::numeric_limits<int64_t>::max());
        const StepResult result = session_.finish_step(metrics.step, metrics.lr);
        const int64_t tokens = train.batch * config_.model.context;
        state_.step += 1;
        state_.tokens += tokens;
        state_.next_sample += train.batch;
        metrics.tokens = state_.tokens;
        metrics.loss = result.loss;
        metrics.grad_norm = result.grad_norm;
        metrics.tokens_per_s = static_cast<double>(tokens) / step_watch.seconds();
        metrics.mfu = flops_per_token_ * metrics.tokens_per_s / peak_;
        return metrics;
    }

    std::map<std::string, double> evaluate() {
        std::map<std::string, double> losses;
        for (const auto& [name, reader] : validation_) {
            double sum = 0;
            int64_t scored = 0;
            for (int64_t first = 0; first < reader->sequences();
                 first += config_.train.micro_batch) {
                const int64_t count =
                    std::min(config_.train.micro_batch, reader->sequences() - first);
                reader->fill(first, count, batch_.ids.data(), batch_.targets.data());
                // Rows that the last group has too many are not scored.
                std::fill(batch_.targets.begin() + count * config_.model.context,
                          batch_.targets.end(), kNotScored);
                sum += session_.loss_sum(batch_);
                scored += batch_.scored();
            }
            losses[name] = sum / static_cast<double>(scored);
            if (!std::isfinite(losses[name]))
                fail(ExitCode::kNumerics,
                     "step {}: the validation loss of {} is {}: the weights are damaged and were "
                     "not saved. Lower optimizer.lr, or lengthen optimizer.schedule.warmup_steps",
                     state_.step, name, losses[name]);
        }
        return losses;
    }

    void save() { session_.save(options_.run_folder, state_); }

    const RunConfig& config_;
    const TrainOptions& options_;
    int64_t last_step_;
    Stopwatch watch_;
    DataTokenizer tokenizer_;
    Loader loader_;
    std::map<std::string, std::unique_ptr<ValidationReader>> validation_;
    TrainingSession session_;
    HostBatch batch_;  // of evaluations
    TrainState state_;
    double flops_per_token_ = 0, peak_ = 0;
    std::optional<Prefetcher> prefetcher_;  // after what its thread uses
};

}  // namespace

TrainResult train(const RunConfig& config, const TrainOptions& options, Backend& backend,
                  const OpTable& ops) {
    return Run(config, options, backend, ops).run();
}

}  // namespace polytrain
