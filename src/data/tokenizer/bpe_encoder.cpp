#include "data/tokenizer/bpe_encoder.hpp"

#include <algorithm>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

// Longer parts are taken in slices, which bounds the copies that normalizing makes.
constexpr size_t kSliceBytes = size_t{1} << 20;
// Text that can't be encoded without what follows is held up to this size.
constexpr size_t kMaxHeldBytes = size_t{1} << 24;

// What of text[at, end), which may go on, holds no part of a token that starts in it, in whole
// characters.
std::string_view without_token_starts(const AddedTokens& tokens, std::string_view text, size_t at) {
    if (tokens.empty()) return text.substr(at);
    size_t end = std::max(at, tokens.settled(text.size()));
    while (end > at && end < text.size() && is_utf8_continuation(text[end])) --end;
    return text.substr(at, end - at);
}

}  // namespace

void BpeEncoder::begin_document() {
    held_.clear();
    held_normalized_.clear();
    next_try_ = 0;
    normalizer_begins_ = true;
    place_ = {};
    pre_tokenizer_.reset();
}

void BpeEncoder::encode(std::string_view part, bool last, std::vector<int32_t>& ids) {
    ids_ = &ids;
    pieces_.append_to(ids);
    try {
        for (; part.size() > kSliceBytes; part.remove_prefix(kSliceBytes))
            feed(part.substr(0, kSliceBytes), false);
        feed(part, last);
    } catch (...) {
        begin_document();
        throw;
    }
    if (last) begin_document();
}

void BpeEncoder::feed(std::string_view slice, bool last) {
    if (last && held_.empty()) {
        encode_bytes(slice, true, false);
        return;
    }
    held_ += slice;
    if (!last && held_.size() < next_try_) return;
    held_.erase(0, encode_bytes(held_, last, false));
    // Twice as much before the next look keeps the work linear where nothing can go.
    next_try_ = 2 * held_.size();
    if (!last && held_.size() + held_normalized_.size() > kMaxHeldBytes) force_out();
}

void BpeEncoder::force_out() {
    held_.erase(0, encode_bytes(held_, false, true));
    next_try_ = 0;
    ++report_.forced_cuts;
}

// Encodes valid stretches as text and other bytes one by one. Returns how many bytes are done with:
// all at the end of the document. With `force` what is held goes as if the document ended.
size_t BpeEncoder::encode_bytes(std::string_view text, bool last, bool force) {
    size_t at = 0;
    for (;;) {
        const std::string_view stretch = text.substr(at, valid_utf8_prefix(text.substr(at)));
        const size_t end = at + stretch.size();
        const bool more = !last && (end == text.size() || is_cut_utf8(text.substr(end)));
        at += encode_text(stretch, more && !force);
        if (more || end == text.size()) return at;
        put_byte(static_cast<unsigned char>(text[at++]));
    }
}

size_t BpeEncoder::encode_text(std::string_view text, bool open) {
    const AddedTokens& tokens = pipeline_.raw_tokens;
    size_t at = 0;
    if (open && tokens.strips()) return 0;
    for (size_t from = 0; const auto match = tokens.find(text, from, at, open);) {
        normalize(text.substr(at, std::max(match->begin, at) - at), false);
        put_token(match->id);
        normalizer_begins_ = true;
        at = match->end;
        from = match->resume;
    }
    std::string_view rest = text.substr(at);
    if (open) {
        rest = without_token_starts(tokens, text, at);
        rest = rest.substr(0, pipeline_.normalizer.settled(rest));
    }
    normalize(rest, open);
    return at + rest.size();
}

void BpeEncoder::normalize(std::string_view text, bool open) {
    std::string buffer;
    const std::string_view normalized =
        pipeline_.normalizer.apply(text, normalizer_begins_, buffer, report_.forced_cuts);
    if (!normalized.empty()) normalizer_begins_ = false;
    if (held_normalized_.empty()) {
        const size_t done = encode_normalized(normalized, open);
        held_normalized_ = normalized.substr(done);
    } else {
        held_normalized_ += normalized;
        held_normalized_.erase(0, encode_normalized(held_normalized_, open));
    }
}

size_t BpeEncoder::encode_normalized(std::string_view text, bool open) {
    const AddedTokens& tokens = pipeline_.normalized_tokens;
    if (open && tokens.strips()) return 0;
    const auto split = [&](std::string_view piece, bool piece_open) {
        const size_t done = pre_tokenizer_.split(piece, place_, piece_open, pieces_);
        if (done > 0) place_ = {false, false};
        return done;
    };
    size_t at = 0;
    for (size_t from = 0; const auto match = tokens.find(text, from, at, open);) {
        split(text.substr(at, std::max(match->begin, at) - at), false);
        put_token(match->id);
        at = match->end;
        from = match->resume;
    }
    return at + split(open ? without_token_starts(tokens, text, at) : text.substr(at), open);
}

void BpeEncoder::put_token(int32_t id) {
    ids_->push_back(id);
    place_ = {true, false};
}

void BpeEncoder::put_byte(unsigned char byte) {
    ++report_.invalid_bytes;
    const int32_t symbol = pipeline_.model.byte_symbol(byte);
    if (symbol >= 0)
        ids_->push_back(symbol);
    else if (pipeline_.model.unknown())
        ids_->push_back(*pipeline_.model.unknown());
    else
        ++report_.dropped;
    normalizer_begins_ = false;
    place_ = {false, false};
}

}  // namespace polytrain
