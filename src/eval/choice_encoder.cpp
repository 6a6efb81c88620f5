#include "eval/choice_encoder.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "eval/task_text.hpp"

namespace polytrain {

std::vector<int32_t> ChoiceEncoder::ids_of(std::string_view text) {
    std::vector<int32_t> ids;
    encoder_->encode(text, true, ids);
    return ids;
}

const std::vector<int32_t>& ChoiceEncoder::context_ids(std::string_view text) {
    if (known_ != text) {
        known_ids_ = ids_of(text);
        known_ = text;
    }
    return known_ids_;
}

std::optional<ScoredSequence> ChoiceEncoder::encode(const std::string& context,
                                                    const std::string& continuation,
                                                    Dialect dialect, const std::string& where) {
    std::string_view before = context;
    if (dialect == Dialect::kHarness) before = strip_right(before);
    const std::string after(std::string_view(context).substr(before.size()));

    ScoredSequence sequence{context_ids(before)};
    std::vector<int32_t>& ids = sequence.ids;
    std::vector<int32_t> scored;
    if (dialect == Dialect::kOlmo || ids.empty()) {
        scored = ids_of(after + continuation);
    } else {
        scored = ids_of(context + continuation);
        scored.erase(scored.begin(),
                     scored.begin() + std::min(std::ssize(scored), std::ssize(ids)));
    }
    if (ids.empty()) {
        auto first = tokenizer_.begin_of_text();
        if (!first) first = tokenizer_.separator();
        if (!first)
            fail(ExitCode::kCorrupt,
                 "{}: the context has no tokens, and the tokenizer has none that begins or parts "
                 "texts to stand for it",
                 where);
        ids.push_back(*first);
    }
    sequence.scored = std::ssize(scored);
    if (sequence.scored == 0)
        fail(ExitCode::kCorrupt, "{}: the continuation \"{}\" has no tokens of its own", where,
             continuation);
    if (sequence.scored > context_) return std::nullopt;
    ids.insert(ids.end(), scored.begin(), scored.end());
    if (const int64_t over = std::ssize(ids) - (context_ + 1); over > 0) {
        ids.erase(ids.begin(), ids.begin() + over);
        ++cut_;
    }
    return sequence;
}

}  // namespace polytrain
