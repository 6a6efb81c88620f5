#include "data/prepare/rounds.hpp"

#include <string_view>
#include <utility>

namespace polytrain {
namespace {

// A thread's share of a round, in works small enough to be spread evenly.
constexpr size_t kShareBytes = size_t{1} << 20;
constexpr size_t kWorkBytes = size_t{1} << 17;
// A document that is longer goes on in the next round: this bounds the memory.
constexpr size_t kLongestBytes = size_t{1} << 22;

EncodeReport difference(const EncodeReport& after, const EncodeReport& before) {
    return {after.invalid_bytes - before.invalid_bytes, after.dropped - before.dropped,
            after.forced_cuts - before.forced_cuts};
}

}  // namespace

RoundReader::RoundReader(const DocumentReader& reader, std::function<bool(TextPart&)> next,
                         int threads)
    : reader_(reader), next_(std::move(next)), threads_(static_cast<size_t>(threads)) {}

// Asked between two documents. A long document ends its round, to have a place to go on from.
bool RoundReader::full(const Round& round) const {
    if (round.works.empty()) return false;
    const Work& first = round.works.front();
    if (first.continued && first.ends.size() == 1) return true;
    return round.works.size() >= threads_ &&
           round.text_bytes >= static_cast<int64_t>(threads_ * kShareBytes);
}

void RoundReader::fill(Round& round) {
    round = Round();
    if (in_document_) round.works.emplace_back().continued = true;
    while (in_document_ || !full(round)) {
        TextPart part;
        if (!next_(part)) {
            round.last = true;
            break;
        }
        if (!in_document_ && (round.works.empty() || round.works.back().text.size() >= kWorkBytes))
            round.works.emplace_back();
        Work& work = round.works.back();
        work.text += part.text;
        round.text_bytes += static_cast<int64_t>(part.text.size());
        in_document_ = !part.ends;
        if (part.ends) {
            work.ends.push_back(work.text.size());
        } else if (work.text.size() >= kLongestBytes) {
            work.unfinished = true;
            break;
        }
    }
    round.position = reader_.position();
    round.report = reader_.report();
    round.file_bytes = reader_.file_bytes();
}

RoundEncoder::RoundEncoder(const Tokenizer& tokenizer, int threads)
    : tokenizer_(tokenizer), separator_(tokenizer.separator()) {
    for (int thread = 0; thread < threads; ++thread) encoders_.push_back(tokenizer.make_encoder());
}

void RoundEncoder::encode(Work& work, int thread) {
    if (work.unfinished && !work.continued) carried_ = tokenizer_.make_encoder();
    Encoder& encoder =
        work.continued || work.unfinished ? *carried_ : *encoders_[static_cast<size_t>(thread)];
    const EncodeReport before = encoder.report();
    const std::string_view text = work.text;
    size_t begin = 0;
    for (const size_t end : work.ends) {
        encoder.encode(text.substr(begin, end - begin), true, work.ids);
        if (separator_) work.ids.push_back(*separator_);
        work.id_ends.push_back(work.ids.size());
        begin = end;
    }
    if (work.unfinished) encoder.encode(text.substr(begin), false, work.ids);
    work.report = difference(encoder.report(), before);
}

}  // namespace polytrain
