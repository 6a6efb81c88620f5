#include "config/resolve.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/checked.hpp"
#include "core/error.hpp"
#include "data/data_tokenizer.hpp"
#include "optim/schedule.hpp"

namespace polytrain::config {
namespace {

constexpr int64_t kByteTokens = 256;  // the vocabulary of the tokenizer "bytes"
constexpr int64_t kHiddenUnit = 32;   // a gated hidden width is a multiple of it

class Resolver {
  public:
    Resolver(RunConfig& config, const LocatedJson& tree, const ActivationCatalog& catalog,
             bool trains, Problems& problems)
        : config_(config), tree_(tree), catalog_(catalog), trains_(trains), problems_(problems) {}

    void resolve() {
        resolve_heads();
        check_init();
        resolve_feed_forward();
        resolve_moe();
        check_data();
        resolve_vocabulary();
        resolve_train();
        check_tasks();
        check_sizes();
    }

  private:
    bool is_set(std::string_view path) const { return tree_.at(path) != nullptr; }

    // Blames the first of these keys that anyone set, or, with none set, the whole config.
    template <class... Args>
    void blame(std::initializer_list<std::string_view> paths, fmt::format_string<Args...> format,
               Args&&... args) {
        const std::string what = fmt::format(format, std::forward<Args>(args)...);
        for (std::string_view path : paths)
            if (const LocatedJson* node = tree_.at(path))
                return problems_.add(node->place, std::string(path), what);
        problems_.add(tree_.place, std::string(*paths.begin()), what);
    }

    void resolve_heads() {
        ModelConfig& model = config_.model;
        if (model.kv_heads == 0) model.kv_heads = model.heads;
        if (model.d_model % model.heads != 0)
            blame({"model.heads", "model.d_model"}, "{} heads don't divide d_model {}", model.heads,
                  model.d_model);
        else if (const int64_t width = model.d_model / model.heads; width % 2 != 0)
            blame({"model.heads", "model.d_model"},
                  "d_model {} over {} heads makes heads of width {}; rotary positions want an even "
                  "width",
                  model.d_model, model.heads, width);
        if (model.heads % model.kv_heads != 0)
            blame({"model.kv_heads"}, "{} kv_heads don't divide {} heads", model.kv_heads,
                  model.heads);
    }

    void check_init() {
        // Drawing again until a number is within would take for ever.
        constexpr double kLeastCut = 0.1;
        if (const double cut = config_.model.init.cut; cut > 0 && cut < kLeastCut)
            blame({"model.init.cut"}, "{} standard deviations are too few; at least {}, or 0", cut,
                  kLeastCut);
    }

    void resolve_feed_forward() {
        FeedForwardConfig& feed_forward = config_.model.feed_forward;
        const std::string_view base = ActivationCatalog::gated_form(feed_forward.activation);
        const ActivationInfo* info =
            catalog_.find(base.empty() ? std::string_view(feed_forward.activation) : base);
        if (info == nullptr)  // only a default can get here: choices are checked before
            return blame({"model.feed_forward.activation"},
                         "there is no activation \"{}\" in this build", feed_forward.activation);
        if (!base.empty()) {
            if (is_set("model.feed_forward.gated") && !feed_forward.gated)
                blame({"model.feed_forward.gated"}, "is false, but {} is gated {}",
                      feed_forward.activation, base);
            feed_forward.gated = true;
        }
        if (info->has_order() &&
            (feed_forward.order < info->min_order || feed_forward.order > info->max_order))
            blame({"model.feed_forward.order", "model.feed_forward.activation"},
                  "order {} is out of range; {} has orders {} to {}", feed_forward.order,
                  info->name, info->min_order, info->max_order);
        if (feed_forward.hidden == 0)
            feed_forward.hidden =
                feed_forward.gated ? round_up(ceil_div(8 * config_.model.d_model, 3), kHiddenUnit)
                                   : 4 * config_.model.d_model;
    }

    void resolve_moe() {
        MoeConfig& moe = config_.model.moe;
        const int64_t ranks = config_.parallel.expert;
        if (moe.experts == 0) {
            if (is_set("model.moe") && !is_set("model.moe.experts"))
                blame({"model.moe"}, "has no number of experts; set model.moe.experts above 0");
            else if (ranks > 1)
                blame({"parallel.expert"}, "{} ranks can't share out experts: the model has none",
                      ranks);
            return;
        }
        if (moe.top_k > moe.experts)
            blame({"model.moe.top_k", "model.moe.experts"}, "the top {} of {} experts", moe.top_k,
                  moe.experts);
        if (moe.experts % ranks != 0)
            blame({"parallel.expert", "model.moe.experts"}, "{} ranks don't divide {} experts",
                  ranks, moe.experts);
        const int64_t rows = config_.parallel.expert_rows;
        const int64_t tokens = config_.train.micro_batch * config_.model.context;
        if (rows > 0 && rows < tokens)
            blame({"parallel.expert_rows", "train.micro_batch", "model.context"},
                  "{} rows are fewer than the {} tokens of a micro-batch, which may all choose one "
                  "expert",
                  rows, tokens);
        if (moe.renormalise && moe.top_k == 1)
            blame({"model.moe.renormalise"},
                  "would make the weight of the one expert of a token always 1, so that the router "
                  "learns nothing from the loss; set top_k above 1, or this to false");
        if (moe.scope == "micro_dp" && config_.parallel.reduction == "exact")
            blame({"parallel.reduction", "model.moe.scope"},
                  "exact results can't be had with model.moe.scope \"micro_dp\", which depends on "
                  "the number of ranks; use \"micro\" or \"global\"");
        if (moe.hidden == 0) moe.hidden = config_.model.feed_forward.hidden;
    }

    void check_data() {
        const DataConfig& data = config_.data;
        if (trains_ && data.train.empty() && !data.synthetic)
            blame({"data.train", "data"},
                  "there is nothing to train on; list token files, or set data.synthetic");
        if (!data.train.empty() && data.synthetic)
            blame({"data.synthetic"}, "is true, but data.train lists files; choose one");
    }

    void resolve_vocabulary() {
        int64_t& vocab_size = config_.model.vocab_size;
        if (config_.data.synthetic) {
            if (vocab_size == 0)
                blame({"model.vocab_size", "data.synthetic"},
                      "synthetic data has no tokenizer to take model.vocab_size from; set it");
        } else if (vocab_size == 0) {
            take_vocabulary();
        } else if (config_.data.tokenizer == "bytes" && vocab_size < kByteTokens) {
            // Of other tokenizers the token files tell, when they are opened.
            blame({"model.vocab_size"}, "{} is less than the {} of tokenizer \"bytes\"", vocab_size,
                  kByteTokens);
        }
    }

    void take_vocabulary() {
        try {
            config_.model.vocab_size = DataTokenizer(config_.data).get().vocab_size();
        } catch (const Error& error) {
            blame({"data.tokenizer", "data"}, "{} (with model.vocab_size set it isn't needed yet)",
                  error.what());
        }
    }

    void resolve_train() {
        TrainConfig& train = config_.train;
        if (trains_ && train.steps == 0 && train.tokens == 0 && train.seconds == 0)
            blame(
                {"train", "train.steps"},
                "would never end; set at least one of train.steps, train.tokens and train.seconds "
                "above 0");
        if (train.keep_every > 0 && train.keep_last == 0)
            blame({"train.keep_every"}, "has no use while train.keep_last is 0: all are kept");
        if (train.micro_batch == 0) train.micro_batch = train.batch;
        if (train.batch % train.micro_batch != 0)
            blame({"train.micro_batch"}, "{} doesn't divide batch {}", train.micro_batch,
                  train.batch);
        if (const int64_t count = train.batch / train.micro_batch;
            config_.parallel.reduction == "exact" && (count & (count - 1)) != 0)
            blame({"parallel.reduction", "train.micro_batch"},
                  "exact reduction wants a power of two of micro-batches; batch {} makes {} of {}",
                  train.batch, count, train.micro_batch);
        if (const auto step_tokens = checked_product({train.batch, config_.model.context}))
            check_schedule(*step_tokens);
    }

    void check_tasks() {
        if (config_.data.synthetic && !config_.eval.tasks.empty())
            blame({"eval.tasks"}, "are texts, which no model of synthetic tokens can read");
        if (config_.eval.every > 0 && config_.eval.tasks.empty())
            blame({"eval.every"}, "has no use without eval.tasks");
    }

    // The length of the schedule: its own, or that of the run.
    std::string schedule_length_text(int64_t total) const {
        const ScheduleConfig& schedule = config_.optimizer.schedule;
        const TrainConfig& train = config_.train;
        if (schedule.steps > 0) return fmt::format("optimizer.schedule.steps, {}", total);
        if (schedule.tokens > 0)
            return fmt::format("the {} steps that optimizer.schedule.tokens, {}, makes", total,
                               schedule.tokens);
        if (train.steps == total) return fmt::format("train.steps, {}", total);
        return fmt::format("the {} steps that train.tokens, {}, makes", total, train.tokens);
    }

    void check_schedule(int64_t step_tokens) {
        const ScheduleConfig& schedule = config_.optimizer.schedule;
        const auto check_pair = [&](const char* in_steps, const char* in_tokens, int64_t steps,
                                    int64_t tokens) {
            if (steps > 0 && tokens > 0)
                blame({in_tokens, in_steps}, "is set, and so is {}; choose one", in_steps);
        };
        check_pair("optimizer.schedule.warmup_steps", "optimizer.schedule.warmup_tokens",
                   schedule.warmup_steps, schedule.warmup_tokens);
        check_pair("optimizer.schedule.decay_steps", "optimizer.schedule.decay_tokens",
                   schedule.decay_steps, schedule.decay_tokens);
        check_pair("optimizer.schedule.steps", "optimizer.schedule.tokens", schedule.steps,
                   schedule.tokens);

        const auto [total, warmup, decay] =
            schedule_lengths(schedule, step_tokens, last_step(config_));
        const bool wsd = schedule.kind == "wsd";
        if (!wsd && decay > 0)
            blame({"optimizer.schedule.decay_steps", "optimizer.schedule.decay_tokens"},
                  "only the schedule \"wsd\" has it; this one is \"{}\"", schedule.kind);
        if (wsd && decay == 0)
            blame({"optimizer.schedule.kind"},
                  "\"wsd\" needs decay_steps or decay_tokens, the length of its last part");
        if (wsd && total == 0)
            blame({"optimizer.schedule.kind"},
                  "\"wsd\" needs an end to decay to; set train.steps, train.tokens, or the "
                  "schedule's own steps or tokens");
        if (total == 0) return;
        if (warmup > total)
            blame({"optimizer.schedule.warmup_steps", "optimizer.schedule.warmup_tokens"},
                  "{} is more than {}", length_text(warmup, schedule.warmup_tokens),
                  schedule_length_text(total));
        else if (wsd && decay > total - warmup)
            blame({"optimizer.schedule.decay_steps", "optimizer.schedule.decay_tokens"},
                  "{} after a warm-up of {} steps is more than {}",
                  length_text(decay, schedule.decay_tokens), warmup, schedule_length_text(total));
    }

    static std::string length_text(int64_t steps, int64_t tokens) {
        return tokens > 0 ? fmt::format("{} ({} steps)", tokens, steps) : fmt::format("{}", steps);
    }

    // Sizes that no machine has: told here, since beyond them element counts overflow.
    void check_sizes() {
        constexpr int64_t kMostElements = int64_t{1} << 48;
        const ModelConfig& model = config_.model;
        const MoeConfig& moe = model.moe;
        const int64_t widest =
            std::max({3 * model.d_model, 2 * model.feed_forward.hidden, 2 * moe.shared_hidden});
        const auto too_large = [&](std::initializer_list<int64_t> factors) {
            return checked_product(factors).value_or(kMostElements) >= kMostElements;
        };
        if (too_large({model.layers, config_.train.micro_batch, model.context, widest}))
            blame(
                {"train.micro_batch", "model.context", "train.batch"},
                "{} layers of micro_batch {} with context {} at width {} are more than any memory "
                "holds",
                model.layers, config_.train.micro_batch, model.context, widest);
        if (moe.experts > 0 &&
            (too_large({model.layers, config_.train.micro_batch, model.context, moe.top_k,
                        config_.parallel.expert, std::max(model.d_model, 2 * moe.hidden)}) ||
             too_large({model.layers, moe.experts, model.d_model, 2 * moe.hidden})))
            blame({"model.moe.experts", "model.moe.hidden", "model.moe"},
                  "{} experts of width {}, {} for each token, are more than any memory holds",
                  moe.experts, moe.hidden, moe.top_k);
        if (too_large({model.layers, model.d_model, std::max(widest, model.vocab_size)}))
            blame({"model.layers", "model.d_model", "model"},
                  "{} layers of width {} are more parameters than any memory holds", model.layers,
                  model.d_model);
    }

    RunConfig& config_;
    const LocatedJson& tree_;
    const ActivationCatalog& catalog_;
    bool trains_;
    Problems& problems_;
};

}  // namespace

void resolve(RunConfig& config, const LocatedJson& tree, const ActivationCatalog& catalog,
             bool trains, Problems& problems) {
    Resolver(config, tree, catalog, trains, problems).resolve();
}

}  // namespace polytrain::config
