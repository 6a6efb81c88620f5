#include "train/decoder.hpp"

#include <algorithm>

#include "ops/elementwise.hpp"

namespace polytrain {
namespace {

constexpr int64_t kChunk = 32;  // rows that a long prompt goes through the model in

}  // namespace

Decoder::Decoder(const RunConfig& config, Backend& backend, const OpTable& ops,
                 const Checkpoint& checkpoint)
    : context_(config.model.context),
      vocab_size_(config.model.vocab_size),
      chunk_(std::min(kChunk, context_)),
      session_(config, backend, ops, checkpoint, 1, chunk_, context_),
      logits_(backend, static_cast<size_t>(vocab_size_) * sizeof(float)) {}

Pass Decoder::upload(const std::vector<int32_t>& ids, int64_t begin, int64_t count) const {
    const Pass pass = session_.pass(count, begin);
    const Tensor to = session_.model().ids(pass).rows(0, count);
    pass.stream.upload(to, ids.data() + begin, to.bytes());
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
        session_.model().run_layers(upload(ids, begin, rows));
        begin += rows;
    }
    const Pass last = upload(ids, begin, 1);
    const Tensor logits_1V = session_.model().logits_after(last, 0);
    const Tensor wide{logits_.data(), logits_1V.shape, DType::kF32, logits_1V.device};
    last.run(Convert{logits_1V, wide});
    read_ = ids;
    std::vector<float> logits(static_cast<size_t>(vocab_size_));
    last.stream.download(logits.data(), wide, wide.bytes());
    return logits;
}

}  // namespace polytrain
