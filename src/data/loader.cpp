#include "data/loader.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"
#include "data/formats/open.hpp"
#include "data/repetition_filter.hpp"
#include "data/synthetic.hpp"
#include "ops/cross_entropy.hpp"

namespace polytrain {
namespace {

using Sources = std::vector<std::unique_ptr<TokenSource>>;

// More than any run reads, so that the training stream never repeats.
constexpr int64_t kSyntheticTokens = int64_t{1} << 50;
constexpr int64_t kSyntheticHeldOutSequences = 256;

int64_t windows_of(const TokenSource& source, int64_t context) {
    return (source.tokens() - 1) / context;
}

// Opens a token file that this config and model can use.
OpenedTokens open_source(const SourceConfig& source, const DataTokenizer& tokenizer,
                         int64_t context, int64_t vocab_size) {
    OpenedTokens opened = open_tokens(source, tokenizer, vocab_size);
    if (opened.tokens->tokens() < context + 1)
        fail(ExitCode::kCorrupt, "{}: {} tokens are too few for one sequence of {} and its target",
             source.path, opened.tokens->tokens(), context);
    return opened;
}

void tell_unknown_tokenizer(const std::string& files, const std::string& tokenizer) {
    log::info("{}: the file doesn't say which tokenizer made it; it is taken to be \"{}\"", files,
              tokenizer);
}

Sources open_training_sources(const DataConfig& config, const DataTokenizer& tokenizer,
                              uint64_t seed, int64_t context, int64_t vocab_size) {
    PT_CHECK(context >= 1, "a context of {}", context);
    Sources sources;
    if (config.synthetic) {
        sources.push_back(std::make_unique<SyntheticTokens>(seed, "data/synthetic", vocab_size,
                                                            kSyntheticTokens));
        return sources;
    }
    if (config.train.empty())
        fail(ExitCode::kBadConfig,
             "data.train names no token file (`polytrain prepare` makes them)");
    std::string first_unknown;
    int64_t unknown = 0;
    for (const SourceConfig& source : config.train) {
        if (!(source.weight > 0 && std::isfinite(source.weight)))
            fail(ExitCode::kBadConfig, "data.train: {}: the weight is {}; it must be above 0",
                 source.path, source.weight);
        OpenedTokens opened = open_source(source, tokenizer, context, vocab_size);
        if (!opened.tokenizer_known && unknown++ == 0) first_unknown = source.path;
        sources.push_back(std::move(opened.tokens));
    }
    if (unknown > 1) first_unknown += fmt::format(" and {} more", unknown - 1);
    if (unknown > 0) tell_unknown_tokenizer(first_unknown, tokenizer.name());
    return sources;
}

std::vector<double> weights_of(const DataConfig& config) {
    if (config.synthetic) return {1.0};
    std::vector<double> weights;
    for (const SourceConfig& source : config.train) weights.push_back(source.weight);
    return weights;
}

SampleOrder order_of(uint64_t seed, const Sources& sources, const std::vector<double>& weights,
                     int64_t context) {
    std::vector<SampleOrder::Source> shares;
    for (size_t i = 0; i < sources.size(); ++i)
        shares.push_back({windows_of(*sources[i], context), weights[i]});
    return SampleOrder(seed, shares);
}

// ids = tokens [begin, begin + T), targets = tokens [begin + 1, begin + T + 1).
void read_window(const TokenSource& source, int64_t begin, int64_t context, int32_t* ids,
                 int32_t* targets) {
    source.read(begin, context, ids);
    std::copy(ids + 1, ids + context, targets);
    source.read(begin + context, 1, targets + context - 1);
}

}  // namespace

Loader::Loader(const DataConfig& config, const DataTokenizer& tokenizer, uint64_t seed,
               int64_t context, int64_t vocab_size)
    : sources_(open_training_sources(config, tokenizer, seed, context, vocab_size)),
      weights_(weights_of(config)),
      context_(context),
      repetition_filter_(config.repetition_filter),
      order_(order_of(seed, sources_, weights_, context)) {}

int64_t Loader::fill(int64_t first, int64_t count, int32_t* ids, int32_t* targets) const {
    int64_t filtered = 0;
    for (int64_t i = 0; i < count; ++i, ids += context_, targets += context_) {
        const SampleOrder::Place place = order_(first + i);
        read_window(*sources_[static_cast<size_t>(place.source)], place.sample * context_, context_,
                    ids, targets);
        if (repetition_filter_ && is_repetitive({ids, static_cast<size_t>(context_)})) {
            std::fill_n(targets, context_, kNotScored);
            ++filtered;
        }
    }
    return filtered;
}

std::string Loader::fingerprint() const {
    std::string text = fmt::format("context {}", context_);
    for (size_t i = 0; i < sources_.size(); ++i)
        text += fmt::format("\n{:a} {}", weights_[i], sources_[i]->fingerprint());
    return content_hash(text);
}

int64_t Loader::tokens() const {
    int64_t total = 0;
    for (const auto& source : sources_) total += source->tokens();
    return total;
}

ValidationReader::ValidationReader(const SourceConfig& source, const DataTokenizer& tokenizer,
                                   uint64_t seed, int64_t context, int64_t vocab_size,
                                   int64_t limit)
    : context_(context) {
    PT_CHECK(context >= 1 && limit >= 0, "a context of {}, a limit of {}", context, limit);
    if (source.path.empty()) {
        source_ = std::make_unique<SyntheticTokens>(seed, "data/synthetic/held-out", vocab_size,
                                                    kSyntheticHeldOutSequences * context + 1);
    } else {
        OpenedTokens opened = open_source(source, tokenizer, context, vocab_size);
        if (!opened.tokenizer_known) tell_unknown_tokenizer(source.path, tokenizer.name());
        source_ = std::move(opened.tokens);
    }
    windows_ = windows_of(*source_, context);
    sequences_ = limit == 0 ? windows_ : std::min(windows_, limit);
}

void ValidationReader::fill(int64_t first, int64_t count, int32_t* ids, int32_t* targets) const {
    PT_CHECK(0 <= first && 0 <= count && count <= sequences_ - first,
             "sequences {} + {} of {} are asked for", first, count, sequences_);
    for (int64_t i = 0; i < count; ++i) {
        const auto window =
            static_cast<int64_t>(static_cast<__int128>(first + i) * windows_ / sequences_);
        read_window(*source_, window * context_, context_, ids + i * context_,
                    targets + i * context_);
    }
}

}  // namespace polytrain
