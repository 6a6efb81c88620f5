#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/tokenizer.hpp"
#include "eval/packed_sequences.hpp"
#include "eval/question.hpp"

namespace polytrain {

// Choices as tokens, as a dialect has them:
//   harness  white space that ends the context goes to the continuation; the two are encoded as one
//            text, of which the continuation's tokens are those behind as many as the context has
//            by itself
//   olmo     the two are encoded each by itself.
// Where the context has no tokens one that begins or parts texts takes its place. What is longer
// than the model's context, one token more that isn't read included, is cut at the left.
class ChoiceEncoder {
  public:
    // The tokenizer must outlive it.
    ChoiceEncoder(const Tokenizer& tokenizer, int64_t context)
        : tokenizer_(tokenizer), encoder_(tokenizer.make_encoder()), context_(context) {}

    // Nothing where the continuation has more tokens than the model's context: it can't be scored.
    // `where` begins messages. A continuation without tokens, or a context without tokens where the
    // tokenizer has no token to stand for it: exit 65.
    std::optional<ScoredSequence> encode(const std::string& context,
                                         const std::string& continuation, Dialect dialect,
                                         const std::string& where);

    int64_t cut() const { return cut_; }  // sequences that were
    // Characters that the vocabulary can't express.
    int64_t dropped() const { return encoder_->report().dropped; }

  private:
    std::vector<int32_t> ids_of(std::string_view text);
    const std::vector<int32_t>& context_ids(std::string_view text);

    const Tokenizer& tokenizer_;
    std::unique_ptr<Encoder> encoder_;
    int64_t context_, cut_ = 0;
    // The last context: as a rule a question's choices have the same.
    std::optional<std::string> known_;
    std::vector<int32_t> known_ids_;
};

}  // namespace polytrain
