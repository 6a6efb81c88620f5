#pragma once
// Training and held-out sequences by number. A sequence has T ids and T targets; the targets are
// the ids shifted by one, and all of them are scored, but where a training sequence is filtered
// out.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/data_config.hpp"
#include "data/data_tokenizer.hpp"
#include "data/sampler.hpp"
#include "data/token_source.hpp"

namespace polytrain {

// The training stream. It has no state but its files: what comes next is the caller's index. Sample
// i of a source is tokens [i T, i T + T], so that a source of n tokens has (n - 1) / T samples.
class Loader {
  public:
    // Opens and verifies every source. Weight not positive, a format that can't be told, other
    // tokenizer than `config` names, or vocabulary larger than the model's `vocab_size`: exit 78;
    // file shorter than T + 1 tokens, with an id outside the vocabulary, or damaged: exit 65;
    // missing: exit 66.
    Loader(const DataConfig& config, const DataTokenizer& tokenizer, uint64_t seed, int64_t context,
           int64_t vocab_size);

    // Samples [first, first + count) of the run: ids and targets of count * T elements each. With
    // data.repetition_filter the targets of repetitive samples are kNotScored; returns how many.
    int64_t fill(int64_t first, int64_t count, int32_t* ids, int32_t* targets) const;

    // Of all that decides what sample i is, but the seed: sources, their weights, T.
    std::string fingerprint() const;
    // Tokens of all sources together.
    int64_t tokens() const;

  private:
    std::vector<std::unique_ptr<TokenSource>> sources_;
    std::vector<double> weights_;
    int64_t context_;
    bool repetition_filter_;
    SampleOrder order_;
};

// At most `limit` (0: all) of the windows of a held-out token file, evenly spaced, in the file's
// order: the same ones each time.
class ValidationReader {
  public:
    // Errors as the Loader's. Without a path: of the synthetic stream, which the seed is for.
    ValidationReader(const SourceConfig& source, const DataTokenizer& tokenizer, uint64_t seed,
                     int64_t context, int64_t vocab_size, int64_t limit);

    int64_t sequences() const { return sequences_; }
    void fill(int64_t first, int64_t count, int32_t* ids, int32_t* targets) const;

  private:
    std::unique_ptr<TokenSource> source_;
    int64_t context_, windows_, sequences_;
};

}  // namespace polytrain
