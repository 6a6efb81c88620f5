#include "train/train.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "checkpoint/background_saver.hpp"
#include "config/load.hpp"
#include "core/clock.hpp"
#include "core/file_lock.hpp"
#include "core/log.hpp"
#include "data/data_tokenizer.hpp"
#include "data/loader.hpp"
#include "data/prefetcher.hpp"
#include "model/estimate.hpp"
#include "optim/schedule.hpp"
#include "train/deadline.hpp"
#include "train/metrics.hpp"
#include "train/peak.hpp"
#include "train/progress.hpp"
#include "train/ranks.hpp"
#include "train/run_folder.hpp"
#include "train/session.hpp"
#include "train/spike_guard.hpp"
#include "train/task_evaluation.hpp"
#include "train/tensorboard.hpp"
#include "train/validation.hpp"

namespace polytrain {
namespace {

constexpr int kBatchesAhead = 3;
constexpr double kSlowDiskBytesPerSecond = 100e6;  // what a save's time is guessed by at first

class Run {
  public:
    Run(const RunConfig& config, const TrainOptions& options, Backend& backend, const OpTable& ops,
        const Grid& grid)
        : config_(config),
          options_(options),
          grid_(grid),
          rounds_(rounds_of(config, grid.layout())),
          deadline_(config.train.seconds),
          last_step_(last_step(config)),
          schedule_(schedule_lengths(config.optimizer.schedule,
                                     config.train.batch * config.model.context, last_step_)),
          tokenizer_(config.data),
          loader_(config.data, tokenizer_, config.seed, config.model.context,
                  config.model.vocab_size),
          session_(config, backend, ops, &grid),
          validation_(config, tokenizer_),
          guard_(config.train.spike_guard),
          saver_(options.run_folder, {config.train.keep_last, config.train.keep_every},
                 grid.disks()) {
        check_same_data(grid.all(), loader_.fingerprint());
        deadline_.save_took(first_save_seconds(session_.memory()));
        const std::string tokenizer_text = check_tokenizer();
        if (!config.eval.tasks.empty()) tasks_.emplace(config, tokenizer_.get(), session_);
        OpenedRun opened =
            open_run_folder(options.run_folder, options.resume, config, ops.activations(), grid);
        lock_ = std::move(opened.lock);
        state_.config_json = emit_config(config, ops.activations());
        state_.data_fingerprint = loader_.fingerprint();
        if (opened.checkpoint)
            resume(*opened.checkpoint);
        else
            session_.initialise(config.seed);
        if (is_first())
            begin_run(options.run_folder, opened.passed_over, state_.config_json, tokenizer_text);
        barrier(grid.disks(), "run folder is ready");
        if (grid.world() != nullptr) grid.world()->set_trace_folder(options.run_folder);
        resumed_step_ = state_.step;
        measure(backend, ops);
        start_reading();
        describe();
    }

    TrainResult run() {
        if (reached_goal()) make_up_last_evaluation();
        std::optional<MetricsFile> metrics_file;
        std::optional<TensorBoard> tensorboard;
        std::optional<Progress> progress;
        if (is_first()) {
            metrics_file.emplace(metrics_path(), state_.step);
            if (config_.train.tensorboard)
                tensorboard.emplace(options_.run_folder / "tensorboard", state_.step);
            progress.emplace(last_step_, config_.train.log_every);
        }
        for (bool complete = reached_goal(); !complete;) {
            stop_if_asked();
            StepMetrics metrics = step();
            // Decided once a step: the clock must not run out between evaluation and save.
            const bool time_is_up = is_time_up();
            complete = reached_goal() || (time_is_up && last_step_ == 0);
            const bool evaluated = evaluate(metrics, complete);
            if (!metrics.validation.empty() || complete)
                metrics.coefficients = session_.coefficients();
            if (metrics_file) metrics_file->append(metrics);
            if (tensorboard) tensorboard->append(metrics);
            if (progress) progress->show(metrics, deadline_.exists() ? deadline_.left() : -1);
            allow_failure([&] { saver_.check(); });
            if (complete && evaluated) {
                save_last();
                break;
            }
            stop_if_asked();
            if (time_is_up) stop(fmt::format("train.seconds, {}, are over", config_.train.seconds));
            if (every(config_.train.checkpoint_every)) allow_failure([&] { start_save(); });
        }
        return {state_.step, state_.tokens, options_.run_folder};
    }

  private:
    bool is_first() const { return grid_.layout().rank == 0; }
    std::filesystem::path metrics_path() const { return options_.run_folder / "metrics.jsonl"; }

    // Rank 0 knows whether it is wanted.
    void make_up_last_evaluation() {
        const auto evaluated = [this](StepMetrics& metrics) {
            if (!evaluate(metrics, true)) stop_if_asked();
            metrics.coefficients = session_.coefficients();
            return true;
        };
        bool is_wanted = false;
        if (is_first())
            add_last_evaluation(metrics_path(), state_.step, [&](StepMetrics& metrics) {
                is_wanted = highest(grid_, 1, "last evaluation") == 1;
                return evaluated(metrics);
            });
        if (!is_wanted && highest(grid_, 0, "last evaluation") == 1) {
            StepMetrics metrics;
            evaluated(metrics);
        }
    }

    static double first_save_seconds(const MemoryPlan& memory) {
        return static_cast<double>(memory.bytes(Life::kSnapshot)) / kSlowDiskBytesPerSecond;
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
        // An imported model comes without data.
        if (!saved.data_fingerprint.empty() && saved.data_fingerprint != state_.data_fingerprint) {
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
            log::warn_together("{}; data.allow_changed: going on with these from sample {}",
                               changed, saved.next_sample);
        }
        session_.restore(checkpoint);
        state_.step = saved.step;
        state_.tokens = saved.tokens;
        state_.next_sample = saved.next_sample;
        state_.updates = saved.updates;
        guard_.restore(saved);
        log::info("resuming from {}", checkpoint.folder().string());
    }

    // From here on micro-batches are read ahead of the steps that use them: of a step's, in rounds
    // of one for each rank, this rank's.
    void start_reading() {
        const int64_t count = config_.train.micro_batch, batch = config_.train.batch;
        const Layout& layout = grid_.layout();
        const auto fill = [this, count, batch, layout, first = state_.next_sample](
                              int64_t number, HostBatch& into) {
            const int64_t step = number / rounds_, round = number % rounds_;
            const int64_t sample =
                first + step * batch + (round * layout.ranks + layout.rank) * count;
            into.filtered = loader_.fill(sample, count, into.ids.data(), into.targets.data());
        };
        prefetcher_.emplace(count * config_.model.context, kBatchesAhead, fill);
    }

    // What the speed of the steps is told as a share of.
    void measure(Backend& backend, const OpTable& ops) {
        flops_per_token_ = flops_per_token(config_.model, session_.model().parameters());
        const auto step_tokens = static_cast<double>(config_.train.batch * config_.model.context);
        peak_ = grid_.layout().ranks *
                measure_peak(backend, ops, storage_type(config_), flops_per_token_ * step_tokens);
    }

    void describe() const {
        const ParameterCount count = count_parameters(config_.model, session_.model().parameters());
        const std::string active =
            config_.model.moe.experts > 0 ? fmt::format(" ({} active)", count.active) : "";
        log::info(
            "{} parameters{}, {} activation coefficients, {:.3g} FLOPs per token; matrix products "
            "reach {:.3g} FLOP/s; memory{}:\n{}",
            count.parameters, active, count.coefficients, flops_per_token_, peak_,
            grid_.layout().ranks > 1 ? " of rank 0" : "", session_.memory().table());
        if (tasks_)
            log::info("{} of at most {} tokens; {:.2f} MiB beside the above", tasks_->description(),
                      task_rows(config_, config_.eval.batch_tokens),
                      static_cast<double>(tasks_->memory().total_bytes()) / (1 << 20));
    }

    static bool is_at(int64_t step, int64_t every) { return every > 0 && step % every == 0; }
    bool every(int64_t steps) const { return is_at(state_.step, steps); }
    int64_t steps_between_tasks() const {
        return config_.eval.every > 0 ? config_.eval.every : config_.train.eval_every;
    }
    bool reached_goal() const { return last_step_ > 0 && state_.step >= last_step_; }

    // Whether train.seconds has room, on every rank, for what would come before the launch could
    // stop again, and for the saves that are then to be waited for.
    bool is_time_up() const {
        const bool evaluates = last_step_ == 0 ||
                               is_at(state_.step + 1, config_.train.eval_every) ||
                               (tasks_ && is_at(state_.step + 1, steps_between_tasks()));
        if (!deadline_.exists()) return false;
        return highest(grid_, deadline_.is_near(evaluates, saver_.busy() ? 2 : 1) ? 1 : 0,
                       "time is up") == 1;
    }

    // Ends a launch that is to be resumed, with all it did on the disk.
    [[noreturn]] void stop(const std::string& why) {
        save_last();
        const std::string saved =
            state_.step > 0
                ? "saved as " + checkpoint_folder(options_.run_folder, state_.step).string()
                : "there is nothing to save yet";
        fail(ExitCode::kRequeue, "{}: stopped after step {}, {}; --resume auto goes on", why,
             state_.step, saved);
    }
    void stop_if_asked() {
        if (const int signal = caught_signal()) stop(StopSignals::name(signal));
    }
    // On any rank: all have the same answer.
    int caught_signal() const {
        const int here = options_.signals == nullptr ? 0 : options_.signals->caught();
        return static_cast<int>(highest(grid_, here, "signals"));
    }

    // The next step's micro-batches of this rank.
    std::vector<HostBatch> read_batches(StepMetrics& metrics) {
        std::vector<HostBatch> batches;
        const Stopwatch watch;
        for (int64_t round = 0; round < rounds_; ++round) batches.push_back(prefetcher_->next());
        metrics.data_wait_s = watch.seconds();
        return batches;
    }

    StepMetrics step() {
        const Stopwatch step_watch;
        const TrainConfig& train = config_.train;
        StepMetrics metrics;
        if (grid_.world() != nullptr) grid_.world()->set_step(state_.step + 1);
        const std::vector<HostBatch> batches = read_batches(metrics);
        std::vector<int64_t> counts(2);  // scored tokens, filtered sequences; of all ranks
        for (const HostBatch& batch : batches) {
            counts[0] += batch.scored();
            counts[1] += batch.filtered;
        }
        add_up(grid_, counts, "scored tokens");
        session_.begin_step(counts[0], batches);
        for (const HostBatch& batch : batches) session_.accumulate(batch);
        if (config_.data.repetition_filter) metrics.filtered_sequences = counts[1];
        metrics.step = state_.step + 1;
        metrics.lr = learning_rate(config_.optimizer, schedule_, metrics.step);
        const StepResult result = session_.measure_step(metrics.step);
        // Without a scored token there is no gradient, and no loss for the guard to learn from.
        metrics.skipped = result.scored == 0 || guard_.is_spike(result.loss, result.grad_norm);
        if (!metrics.skipped) session_.update(++state_.updates, metrics.lr);
        const int64_t tokens = train.batch * config_.model.context;
        state_.step += 1;
        state_.tokens += tokens;
        state_.next_sample += train.batch;
        metrics.tokens = state_.tokens;
        metrics.loss = result.loss;
        metrics.grad_norm = result.grad_norm;
        metrics.balance_loss = result.balance_loss;
        metrics.router_z_loss = result.router_z_loss;
        metrics.loads = result.loads;
        if (config_.model.z_loss > 0) metrics.z_loss = result.z_loss;
        const double seconds = step_watch.seconds();
        deadline_.step_took(seconds);
        metrics.tokens_per_s = static_cast<double>(tokens) / seconds;
        metrics.mfu = flops_per_token_ * metrics.tokens_per_s / peak_;
        return metrics;
    }

    // What is due after this step. False where a signal ended it early: then the step has neither
    // validation losses nor tasks.
    bool evaluate(StepMetrics& metrics, bool is_last) {
        const bool has_losses = is_last || every(config_.train.eval_every);
        const bool has_tasks = tasks_ && (is_last || every(steps_between_tasks()));
        if (!has_losses && !has_tasks) return true;
        const Stopwatch watch;
        const auto stop = [&] { return caught_signal() != 0; };
        std::optional<std::map<std::string, double>> losses;
        if (has_losses && !(losses = validation_.losses(session_, grid_, state_.step, stop)))
            return false;
        if (has_tasks) {
            auto results = tasks_->results(grid_.all(), stop);
            if (!results) return false;
            metrics.tasks = std::move(*results);
        }
        if (losses) metrics.validation = std::move(*losses);
        deadline_.evaluation_took(watch.seconds());
        return true;
    }

    // Copies the state; the rest of the save goes on beside the next steps, or is waited for where
    // there is no copy. Where the save before it is still under way, that is waited for. Does
    // nothing where this step is saved already.
    void start_save() {
        allow_failure([&] { saver_.wait(); });
        if (state_.step == std::max(resumed_step_, saver_.saved_step())) return;
        const Stopwatch watch;
        guard_.store(state_);
        saver_.start(state_, session_.snapshot(state_.step));
        snapshot_seconds_ = watch.seconds();
        if (!config_.train.checkpoint_background) saver_.wait();
    }

    // The save before this one may have failed where that is allowed.
    void save_last() {
        start_save();
        saver_.wait();
    }

    // Runs what ends or begins a background save.
    template <class Call>
    void allow_failure(const Call& call) {
        try {
            call();
            if (saver_.seconds() > 0) deadline_.save_took(snapshot_seconds_ + saver_.seconds());
        } catch (const Error& error) {
            const bool from_disk =
                error.code() == ExitCode::kCannotWrite || error.code() == ExitCode::kIo;
            if (config_.train.checkpoint_failure != "continue" || !from_disk) throw;
            log::warn_together("{}; training goes on, the next checkpoint is tried again",
                               error.what());
        }
    }

    const RunConfig& config_;
    const TrainOptions& options_;
    const Grid& grid_;
    int64_t rounds_;
    Deadline deadline_;  // counts from here
    int64_t last_step_;
    ScheduleLengths schedule_;
    FileLock lock_;
    DataTokenizer tokenizer_;
    Loader loader_;
    TrainingSession session_;
    Validation validation_;
    std::optional<TaskEvaluation> tasks_;  // after the session, whose weights it uses
    SpikeGuard guard_;
    TrainState state_;
    double flops_per_token_ = 0, peak_ = 0;
    int64_t resumed_step_ = 0;
    double snapshot_seconds_ = 0;
    BackgroundSaver saver_;                 // after the session, whose snapshot it writes
    std::optional<Prefetcher> prefetcher_;  // after what its thread uses
};

}  // namespace

TrainResult train(const RunConfig& config, const TrainOptions& options, Backend& backend,
                  const OpTable& ops) {
    if (options.world == nullptr) {
        const Grid alone;
        return Run(config, options, backend, ops, alone).run();
    }
    World& world = *options.world;
    world.set_timeout(config.parallel.timeout_s);
    check_same_program(world.all(), config, ops.activations());
    const auto expert = static_cast<int>(config.parallel.expert);
    rounds_of(config, {world.size(), expert, world.rank()});  // refuses what no grid can be made of
    const Grid grid(world, expert);
    return Run(config, options, backend, ops, grid).run();
}

}  // namespace polytrain
