#include "data/tokenizer/train_tokenizer.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/thread_pool.hpp"
#include "core/utf8.hpp"
#include "data/text/document_reader.hpp"
#include "data/tokenizer/bpe_trainer.hpp"
#include "data/tokenizer/byte_level.hpp"
#include "data/tokenizer/components.hpp"
#include "data/tokenizer/trained_file.hpp"

namespace polytrain {
namespace {

constexpr int64_t kMaxVocabSize = int64_t{1} << 22;
// The share of a text's characters that a Llama type vocabulary has as such; SentencePiece's
// default.
constexpr double kCharacterCoverage = 0.9995;
// What one thread counts at a time, and how many of these are read before they are counted.
constexpr size_t kBatchBytes = size_t{1} << 19;
constexpr size_t kBatchesPerRound = 32;

SplitStep split_step(TokenizerFamily family) {
    SplitStep step;
    if (family == TokenizerFamily::kByteLevel) {
        step.pattern = Regex(kGpt2Pattern, "the GPT-2 regex");
    } else {
        step.space = step.prefix = kSpaceMark;
        step.pattern = Regex::literal(kSpaceMark, "U+2581");
        step.behavior = SplitBehavior::kMergedWithNext;
    }
    return step;
}

// Reads documents in batches; a long one is cut into several, at a space where it has one.
class BatchReader {
  public:
    explicit BatchReader(const TokenizerTraining& training)
        : reader_(find_text_inputs(training.inputs).files, training.field) {}

    // Texts that are counted by themselves; empty at the end.
    std::vector<std::string> next() {
        std::vector<std::string> batch;
        for (size_t bytes = 0; bytes < kBatchBytes;) {
            TextPart part;
            if (!reader_.next(part)) break;
            open_ += part.text;
            bytes += part.text.size();
            if (part.ends) {
                batch.push_back(std::move(open_));
                open_.clear();
            } else if (open_.size() >= kBatchBytes) {
                const size_t space = open_.rfind(' ');
                const size_t cut = space == std::string::npos || space == 0 ? open_.size() : space;
                batch.push_back(open_.substr(0, cut));
                open_.erase(0, cut);
            }
        }
        return batch;
    }

  private:
    DocumentReader reader_;
    std::string open_;
};

WordCounts count_words(const TokenizerTraining& training) {
    std::vector<SplitStep> steps;
    steps.push_back(split_step(training.family));
    ThreadPool pool(training.threads);
    std::vector<std::unique_ptr<WordCounter>> counters;
    for (int thread = 0; thread < pool.threads(); ++thread)
        counters.push_back(std::make_unique<WordCounter>(steps));
    BatchReader reader(training);
    for (;;) {
        std::vector<std::vector<std::string>> round;
        while (round.size() < kBatchesPerRound) {
            round.push_back(reader.next());
            if (round.back().empty()) break;
        }
        pool.run(static_cast<int64_t>(round.size()), [&](int64_t part, int thread) {
            for (const std::string& text : round[static_cast<size_t>(part)])
                counters[static_cast<size_t>(thread)]->count(text);
        });
        if (round.back().empty()) break;
    }
    WordCounts total;
    for (const auto& counter : counters)
        for (const auto& [word, count] : counter->counts()) total[word] += count;
    return total;
}

WordCounts in_byte_level(const WordCounts& words) {
    WordCounts mapped;
    for (const auto& [word, count] : words) mapped[to_byte_level(word)] = count;
    return mapped;
}

// The commonest characters that make up kCharacterCoverage of all, at most `most`, in order.
std::vector<std::string> common_characters(const WordCounts& words, size_t most) {
    std::map<char32_t, int64_t> counts;
    int64_t total = 0;
    for (const auto& [word, count] : words)
        for (size_t at = 0; at < word.size();) {
            const Utf8Character c = decode_valid_utf8(&word[at]);
            counts[c.code] += count;
            total += count;
            at += c.bytes;
        }
    std::vector<std::pair<int64_t, char32_t>> ranked;
    for (const auto& [code, count] : counts) ranked.emplace_back(-count, code);
    std::sort(ranked.begin(), ranked.end());
    std::vector<char32_t> kept;
    int64_t covered = 0;
    for (const auto& [negated, code] : ranked) {
        if (kept.size() == most ||
            static_cast<double>(covered) >= kCharacterCoverage * static_cast<double>(total))
            break;
        covered -= negated;
        kept.push_back(code);
    }
    std::sort(kept.begin(), kept.end());
    std::vector<std::string> characters(kept.size());
    for (size_t i = 0; i < kept.size(); ++i) append_utf8(characters[i], kept[i]);
    return characters;
}

LearnedBpe learn(const TokenizerTraining& training) {
    const WordCounts words = count_words(training);
    if (words.empty()) fail(ExitCode::kCorrupt, "the texts have no word to learn from");
    if (training.family == TokenizerFamily::kByteLevel) {
        std::vector<std::pair<char32_t, std::string>> bytes;
        for (int byte = 0; byte < 256; ++byte) {
            const std::string one(1, static_cast<char>(byte));
            bytes.emplace_back(byte_level_character(static_cast<unsigned char>(byte)),
                               to_byte_level(one));
        }
        std::sort(bytes.begin(), bytes.end());
        std::vector<std::string> alphabet;
        for (const auto& [code, text] : bytes) alphabet.push_back(text);
        return learn_bpe(in_byte_level(words), {"<|endoftext|>"}, alphabet, training.vocab_size);
    }
    std::vector<std::string> first = {"<unk>", "<s>", "</s>"};
    for (int byte = 0; byte < 256; ++byte) first.push_back(fmt::format("<0x{:02X}>", byte));
    const auto left =
        std::max<int64_t>(training.vocab_size - static_cast<int64_t>(first.size()), 0);
    return learn_bpe(words, first, common_characters(words, static_cast<size_t>(left)),
                     training.vocab_size);
}

}  // namespace

std::string train_tokenizer(const TokenizerTraining& training) {
    if (training.vocab_size < 1 || training.vocab_size > kMaxVocabSize)
        fail(ExitCode::kUsage, "a vocabulary of {}; it must be 1 to {}", training.vocab_size,
             kMaxVocabSize);
    const LearnedBpe bpe = learn(training);
    if (static_cast<int64_t>(bpe.tokens.size()) < training.vocab_size)
        log::warn("the text gives a vocabulary of {}, not {}: no other pair comes twice in it",
                  bpe.tokens.size(), training.vocab_size);
    return trained_file_text(bpe, training.family);
}

}  // namespace polytrain
