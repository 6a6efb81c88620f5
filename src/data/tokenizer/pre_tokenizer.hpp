#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/regex.hpp"

namespace polytrain {

// Where the pieces of a text go, each one to be encoded by itself.
class PieceSink {
  public:
    virtual ~PieceSink() = default;
    // Takes a piece, not empty, and returns how many of its bytes: all, unless it is `open`, that
    // is more text may belong to it.
    virtual size_t take(std::string_view piece, bool open) = 0;
};

// What becomes of the parts of a text that a pattern matches (Hugging Face's
// SplitDelimiterBehavior).
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// One step of a pre-tokenizer. "Split", "ByteLevel" and "Metaspace" all are of this form: first
// `space` takes the place of each space, then `prefix` is put before a text that doesn't start with
// it, then the pattern splits. What is empty is left out.
struct SplitStep {
    std::string space;
    std::string prefix;
    bool prefix_first_only = false;  // only at the start of the document
    std::optional<Regex> pattern;
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;  // the text between matches counts as match

    bool does_nothing() const { return space.empty() && prefix.empty() && !pattern; }
};

// Splits texts by a sequence of steps; for one thread.
class PreTokenizer {
  public:
    // The steps must outlive it.
    explicit PreTokenizer(const std::vector<SplitStep>& steps);

    // Where a text stands.
    struct Place {
        bool begins = true;    // it is not the continuation of another
        bool document = true;  // it is the start of the document
    };
    // Gives the pieces of valid UTF-8 `text` to `sink` and returns how many bytes are done with:
    // all, unless the text is `open`; what more text could change is left.
    size_t split(std::string_view text, Place place, bool open, PieceSink& sink);
    // Forgets an open text that won't go on.
    void reset();

  private:
    size_t run(size_t step, std::string_view text, Place place, bool open, PieceSink& sink);
    size_t split_by_pattern(size_t step, std::string_view text, Place place, bool open,
                            PieceSink& sink);

    const std::vector<SplitStep>& steps_;
    // For each step:
    std::vector<std::optional<Regex::Matcher>> matchers_;
    std::vector<size_t> prefix_taken_;  // bytes of the prefix of an open text that are done with
};

}  // namespace polytrain
