#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer.hpp"
#include "data/tokenizer/added_tokens.hpp"
#include "data/tokenizer/bpe_model.hpp"
#include "data/tokenizer/normalizer.hpp"
#include "data/tokenizer/piece_encoder.hpp"
#include "data/tokenizer/pre_tokenizer.hpp"

namespace polytrain {

// What text goes through on its way to ids, in this order, as in Hugging Face tokenizers.
struct BpePipeline {
    AddedTokens raw_tokens;                // found in the text as it is; between them it is
    Normalizer normalizer;                 // normalized, then
    AddedTokens normalized_tokens;         // are found, and between them it is
    std::vector<SplitStep> pre_tokenizer;  // split into the pieces that the
    BpeModel model;                        // encodes one by one.
};

// Runs a BpePipeline over documents given in parts. Each stage says how much of what it has can't
// be changed by more text; the rest is held until there is more.
class BpeEncoder final : public Encoder {
  public:
    explicit BpeEncoder(const BpePipeline& pipeline)
        : pipeline_(pipeline),
          pre_tokenizer_(pipeline.pre_tokenizer),
          pieces_(pipeline.model, report_) {}

    void encode(std::string_view part, bool last, std::vector<int32_t>& ids) override;

  private:
    void feed(std::string_view slice, bool last);
    void force_out();
    void begin_document();
    size_t encode_bytes(std::string_view text, bool last, bool force);
    size_t encode_text(std::string_view text, bool open);
    void normalize(std::string_view text, bool open);
    size_t encode_normalized(std::string_view text, bool open);
    void put_byte(unsigned char byte);
    void put_token(int32_t id);

    const BpePipeline& pipeline_;
    PreTokenizer pre_tokenizer_;
    PieceEncoder pieces_;
    std::vector<int32_t>* ids_ = nullptr;
    std::string held_;               // bytes of the document that are still to be encoded
    std::string held_normalized_;    // what comes before them, normalized already
    size_t next_try_ = 0;            // bytes to hold before looking again whether some can go
    bool normalizer_begins_ = true;  // nothing was normalized since the last raw token
    PreTokenizer::Place place_;      // of what comes next
};

}  // namespace polytrain
