#include "data/loader.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "data/synthetic.hpp"
#include "data/token_file.hpp"
#include "data/tokenizer.hpp"

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
std::unique_ptr<TokenSource> open_token_file(const std::string& path, const std::string& tokenizer,
                                             int64_t context, int64_t vocab_size) {
    auto file = std::make_unique<TokenFile>(path);
    const TokenFileInfo& info = file->info();
    const std::string fingerprint = make_tokenizer(tokenizer)->fingerprint();
    if (info.tokenizer_fingerprint != fingerprint)
        fail(ExitCode::kBadConfig,
             "{}: was prepared with the tokenizer \"{}\" ({}), but data.tokenizer is \"{}\" ({})",
             path, info.tokenizer, info.tokenizer_fingerprint, tokenizer, fingerprint);
    if (info.vocab_size > vocab_size)
        fail(ExitCode::kBadConfig,
             "{}: has a vocabulary of {}, larger than the model's of {} (model.vocab_size)", path,
             info.vocab_size, vocab_size);
    if (info.tokens < context + 1)
        fail(ExitCode::kCorrupt, "{}: {} tokens are too few for one sequence of {} and its target",
             path, info.tokens, context);
    return file;
}

Sources open_training_sources(const DataConfig& config, uint64_t seed, int64_t context,
                              int64_t vocab_size) {
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
    for (const SourceConfig& source : config.train) {
        if (!(source.weight > 0 && std::isfinite(source.weight)))
            fail(ExitCode::kBadConfig, "data.train: {}: the weight is {}; it must be above 0",
                 source.path, source.weight);
        sources.push_back(open_token_file(source.path, config.tokenizer, context, vocab_size));
    }
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

Loader::Loader(const DataConfig& config, uint64_t seed, int64_t context, int64_t vocab_size)
    : sources_(open_training_sources(config, seed, context, vocab_size)),
      weights_(weights_of(config)),
      context_(context),
      order_(order_of(seed, sources_, weights_, context)) {}

void Loader::fill(int64_t first, int64_t count, int32_t* ids, int32_t* targets) const {
    for (int64_t i = 0; i < count; ++i) {
        const SampleOrder::Place place = order_(first + i);
        read_window(*sources_[static_cast<size_t>(place.source)], place.sample * context_, context_,
                    ids + i * context_, targets + i * context_);
    }
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

ValidationReader::ValidationReader(const DataConfig& config, const std::string& path, uint64_t seed,
                                   int64_t context, int64_t vocab_size, int64_t limit)
    : context_(context) {
    PT_CHECK(context >= 1 && limit >= 0, "a context of {}, a limit of {}", context, limit);
    if (config.synthetic)
        source_ = std::make_unique<SyntheticTokens>(seed, "data/synthetic/held-out", vocab_size,
                                                    kSyntheticHeldOutSequences * context + 1);
    else
        source_ = open_token_file(path, config.tokenizer, context, vocab_size);
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
