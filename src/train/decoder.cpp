#include "train/decoder.hpp"

#include <algorithm>

#include "ops/elementwise.hpp"
#include "train/session.hpp"

namespace polytrain {
namespace {

constexpr int64_t kChunk = 32;  // rows that a long prompt goes through the model in

}  // namespace

Decoder::Decoder(const RunConfig& config, Backend& backend, const OpTable& ops,
                 const Checkpoint& checkpoint)
    : ops_(ops),
      context_(config.model.context),
      vocab_size_(config.model.vocab_size),
      chunk_(std::min(kChunk, context_)),
      model_(config.model, ops.activations()),
      stream_(backend) {
    MemoryPlan memory;
    Planner planner{memory, ops, 1, chunk_, storage_type(config), false};
    planner.cache = context_;
    model_.plan(planner);
    logits_1V_ = memory.add("logits_1V", {1, vocab_size_}, DType::kF32, Life::kData);
    arena_ = std::make_unique<Arena>(backend, memory);
    const Pass pass{ops_, *arena_, stream_};
    load_weights(checkpoint, model_, pass);
    model_.prepare(pass);
}

Pass Decoder::upload(const std::vector<int32_t>& ids, int64_t begin, int64_t count) const {
    const Pass pass{ops_, *arena_, stream_, count, begin};
    const Tensor to = model_.ids(pass).rows(0, count);
    stream_.upload(to, ids.data() + begin, to.bytes());
    return pass;
}

std::vector<float> Decoder::logits_after(const std::vector<int32_t>& ids) {
    const auto count = static_cast<int64_t>(ids.size());
    PT_CHECK(count > 0 && count <= context_, "{} ids, context {}", count, context_);
    const auto known = static_cast<int64_t>(read_.size());
    const bool goes_on = known < count && std::equal(read_.begin(), read_.end(), ids.begin());
    int64_t begin = goes_on ? known : 0;
    // Whole chunks, then single rows: the two sizes that products are planned for.
    while (begin + 1 < count) {
        const int64_t rows = begin + chunk_ < count ? chunk_ : 1;
        model_.append_to_cache(upload(ids, begin, rows));
        begin += rows;
    }
    const Pass last = upload(ids, begin, 1);
    last.run(Convert{model_.logits_after(last, 0), last[logits_1V_]});
    read_ = ids;
    std::vector<float> logits(static_cast<size_t>(vocab_size_));
    stream_.download(logits.data(), last[logits_1V_], logits.size() * sizeof(float));
    return logits;
}

}  // namespace polytrain
