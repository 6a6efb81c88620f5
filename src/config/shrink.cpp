#include "config/shrink.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optim/schedule.hpp"

namespace polytrain {
namespace {

constexpr int64_t kWidth = 64, kHeads = 4, kLayers = 2, kContext = 64, kVocabulary = 512;
constexpr int64_t kExperts = 8, kTopK = 2;
constexpr int64_t kSteps = 3, kBatch = 4, kMicroBatch = 2;

void shrink_model(ModelConfig& model) {
    // A hidden width of 0, of a part that isn't there, stays so.
    const auto hidden = [&](int64_t& width) {
        if (model.d_model > kWidth && width > 0)
            width = std::max<int64_t>(1, width * kWidth / model.d_model);
    };
    hidden(model.feed_forward.hidden);
    hidden(model.moe.hidden);
    hidden(model.moe.shared_hidden);
    if (model.d_model > kWidth) {
        model.kv_heads = std::max<int64_t>(1, kHeads * model.kv_heads / model.heads);
        model.heads = kHeads;
        model.d_model = kWidth;
    }
    model.layers = std::min(model.layers, kLayers);
    model.context = std::min(model.context, kContext);
    model.vocab_size = std::min(model.vocab_size, kVocabulary);
    model.moe.experts = std::min(model.moe.experts, kExperts);
    model.moe.top_k = std::min(model.moe.top_k, kTopK);
}

// Each length as many steps of the short run as it was of the long one, and at least one.
void shrink_schedule(ScheduleConfig& schedule, const ScheduleLengths& was, int64_t run_steps) {
    const double ratio =
        static_cast<double>(kSteps) / static_cast<double>(std::max<int64_t>(1, run_steps));
    const auto scaled = [&](int64_t steps) {
        return std::max<int64_t>(1, std::llround(static_cast<double>(steps) * ratio));
    };
    const bool has_own_length = schedule.steps > 0 || schedule.tokens > 0;
    const int64_t total = has_own_length ? std::max(kSteps, scaled(was.total)) : kSteps;
    schedule.steps = has_own_length ? total : 0;
    schedule.warmup_steps = was.warmup > 0 ? std::min(scaled(was.warmup), total - 1) : 0;
    schedule.decay_steps =
        was.decay > 0 ? std::min(scaled(was.decay), total - schedule.warmup_steps) : 0;
    schedule.tokens = schedule.warmup_tokens = schedule.decay_tokens = 0;
}

}  // namespace

RunConfig shrunk(RunConfig config, int ranks) {
    const int64_t run_steps = last_step(config);
    const ScheduleLengths lengths = schedule_lengths(
        config.optimizer.schedule, config.train.batch * config.model.context, run_steps);
    // A run without an end, or one that a clock ends, has no proportions but its schedule's.
    shrink_schedule(config.optimizer.schedule, lengths,
                    run_steps > 0 ? run_steps : std::max(lengths.total, lengths.warmup));
    shrink_model(config.model);

    TrainConfig& train = config.train;
    train.steps = kSteps;
    train.tokens = 0;
    train.seconds = 0;
    train.micro_batch = std::min(train.micro_batch, kMicroBatch);
    const int64_t at_once = train.micro_batch * ranks;
    train.batch = (std::min(train.batch, kBatch) + at_once - 1) / at_once * at_once;
    train.eval_sequences = kBatch;
    train.eval_every = std::min(train.eval_every, kSteps);

    config.data = {.synthetic = true, .repetition_filter = config.data.repetition_filter};
    config.eval = {};  // tasks are texts
    config.parallel.expert = std::gcd(config.parallel.expert, int64_t{ranks});
    if (config.model.moe.experts > 0)
        config.parallel.expert = std::gcd(config.parallel.expert, config.model.moe.experts);
    if (config.parallel.expert_rows > 0)
        config.parallel.expert_rows = train.micro_batch * config.model.context;
    config.precision = "auto";
    return config;
}

}  // namespace polytrain
