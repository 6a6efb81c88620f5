#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// Tokens back to bytes, as the "decoder" of a tokenizer.json says. Where Hugging Face tokenizers
// replace bytes that aren't UTF-8 by U+FFFD, these are kept.
class TokenDecoder {
  public:
    struct Step {
        enum Kind { kByteLevel, kByteFallback, kReplace, kMetaspace, kFuse, kStrip } kind;
        std::string from = {},
                    to = {};  // kReplace, kMetaspace; `from` is also what kStrip takes off
        size_t at_start = 0, at_end = 0;  // how many of it kStrip takes off
        bool drops_first = false;         // kMetaspace: in the first token `from` becomes nothing
    };
    void add(Step step);

    // The bytes of one token, the first of a text or a later one.
    std::string token_bytes(std::string token, bool first) const;
    bool first_differs() const { return first_differs_; }
    // What is still to be done to all the bytes together.
    void finish(std::string& bytes) const;
    // Between tokens; a space where there is no decoder at all.
    std::string_view between() const { return steps_.empty() ? " " : ""; }

  private:
    std::vector<Step> steps_;
    bool first_differs_ = false;
};

}  // namespace polytrain
