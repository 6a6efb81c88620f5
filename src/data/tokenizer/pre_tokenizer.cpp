#include "data/tokenizer/pre_tokenizer.hpp"

#include <algorithm>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

// A match or what lies between two, which may be empty.
struct Span {
    size_t begin, end;
    bool is_match;
};

// Finds the matches of a pattern one after the other, as Oniguruma's iterator does: an empty match
// where the last one ended doesn't count.
class MatchIterator {
  public:
    MatchIterator(Regex::Matcher& matcher, std::string_view text, bool open)
        : matcher_(matcher), text_(text), open_(open) {}

    // kCut: more text could change what comes next.
    Regex::Match next() {
        for (;;) {
            if (from_ > text_.size()) return {};
            const Regex::Match match = matcher_.find(text_, from_, open_);
            if (match.kind != Regex::Match::kFound) return match;
            if (match.begin == match.end && last_end_ == match.end) {
                from_ += from_ < text_.size() ? decode_valid_utf8(&text_[from_]).bytes : 1;
                continue;
            }
            if (open_ && match.end == text_.size()) return {Regex::Match::kCut, match.begin};
            from_ = match.end;
            last_end_ = match.end;
            return match;
        }
    }

  private:
    Regex::Matcher& matcher_;
    std::string_view text_;
    bool open_;
    size_t from_ = 0, last_end_ = std::string_view::npos;
};

// Joins the spans that stay together. Removes nothing.
std::vector<Span> merge(const std::vector<Span>& spans, SplitBehavior behavior) {
    std::vector<Span> pieces;
    for (size_t i = 0; i < spans.size(); ++i) {
        const Span& span = spans[i];
        const bool after_match = i > 0 && spans[i - 1].is_match;
        bool joins = false;  // this span the one before it
        if (behavior == SplitBehavior::kContiguous) {
            joins = i > 0 && span.is_match == after_match;
        } else if (behavior == SplitBehavior::kMergedWithPrevious) {
            joins = i > 0 && span.is_match && !after_match;
        } else {
            joins = after_match && !span.is_match;
        }
        if (joins)
            pieces.back().end = span.end;
        else
            pieces.push_back(span);
    }
    return pieces;
}

std::string replace_spaces(std::string_view text, const std::string& by) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    for (const char c : text)
        if (c == ' ')
            out += by;
        else
            out += c;
    return out;
}

// How many bytes of `text` became the first `bytes` of it with spaces replaced.
size_t bytes_before_replacing(std::string_view text, const std::string& space, size_t bytes) {
    size_t at = 0;
    for (size_t made = 0; made < bytes; ++at) made += text[at] == ' ' ? space.size() : 1;
    return at;
}

}  // namespace

PreTokenizer::PreTokenizer(const std::vector<SplitStep>& steps) : steps_(steps) {
    for (const SplitStep& step : steps_) {
        matchers_.emplace_back();
        prefix_taken_.push_back(0);
        if (step.pattern) matchers_.back().emplace(*step.pattern);
    }
}

void PreTokenizer::reset() {
    std::fill(prefix_taken_.begin(), prefix_taken_.end(), 0);
}

size_t PreTokenizer::split(std::string_view text, Place place, bool open, PieceSink& sink) {
    return run(0, text, place, open, sink);
}

size_t PreTokenizer::run(size_t index, std::string_view text, Place place, bool open,
                         PieceSink& sink) {
    if (text.empty()) return 0;
    if (index == steps_.size()) return sink.take(text, open);
    const SplitStep& step = steps_[index];
    const auto go_on = [&](std::string_view transformed) {
        return step.pattern ? split_by_pattern(index, transformed, place, open, sink)
                            : run(index + 1, transformed, place, open, sink);
    };
    if (step.space.empty() && step.prefix.empty()) return go_on(text);

    std::string transformed =
        step.space.empty() ? std::string(text) : replace_spaces(text, step.space);
    const bool prefixed = !step.prefix.empty() && place.begins &&
                          (place.document || !step.prefix_first_only) &&
                          !transformed.starts_with(step.prefix);
    // Of an open text the prefix may have been taken before any of the text itself was.
    size_t& taken = prefix_taken_[index];
    if (prefixed) transformed.insert(0, step.prefix.substr(taken));
    const size_t added = prefixed ? step.prefix.size() - taken : 0;
    const size_t done = go_on(transformed);
    taken = open && done <= added ? taken + done : 0;
    if (done <= added) return 0;
    return step.space.empty() ? done - added
                              : bytes_before_replacing(text, step.space, done - added);
}

size_t PreTokenizer::split_by_pattern(size_t index, std::string_view text, Place place, bool open,
                                      PieceSink& sink) {
    const SplitStep& step = steps_[index];
    if (open && step.pattern->looks_behind()) return 0;
    const bool merges =
        step.behavior != SplitBehavior::kIsolated && step.behavior != SplitBehavior::kRemoved;
    const auto emit = [&](const Span& span) {
        const bool removed = step.behavior == SplitBehavior::kRemoved && span.is_match;
        if (span.begin < span.end && !removed)
            run(index + 1, text.substr(span.begin, span.end - span.begin),
                {true, place.document && span.begin == 0}, false, sink);
    };
    std::vector<Span> kept;
    const auto add = [&](size_t begin, size_t end, bool is_match) {
        const Span span{begin, end, is_match != step.invert};
        if (merges)
            kept.push_back(span);
        else
            emit(span);
    };
    MatchIterator matches(*matchers_[index], text, open);
    size_t done = 0;
    for (;;) {
        const Regex::Match match = matches.next();
        if (match.kind != Regex::Match::kFound) break;
        if (match.begin > done) add(done, match.begin, false);
        add(match.begin, match.end, true);
        done = match.end;
    }
    if (!open && done < text.size()) {
        add(done, text.size(), false);
        done = text.size();
    }
    if (!merges) return done;
    std::vector<Span> pieces = merge(kept, step.behavior);
    if (open && !pieces.empty()) {  // the last one may grow
        done = pieces.back().begin;
        pieces.pop_back();
    }
    for (const Span& piece : pieces) emit(piece);
    return done;
}

}  // namespace polytrain
