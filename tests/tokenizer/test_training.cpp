// Learning merges, against the algorithm word for word; and the files that come of it.

#include <map>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "data/tokenizer/bpe_tokenizer.hpp"
#include "data/tokenizer/bpe_trainer.hpp"
#include "data/tokenizer/train_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Sennrich et al. 2016, algorithm 1, counting all pairs anew each time.
std::vector<std::pair<int32_t, int32_t>> learn_slowly(const WordCounts& words,
                                                      std::vector<std::string> tokens,
                                                      size_t vocab_size) {
    std::vector<std::pair<std::vector<int32_t>, int64_t>> symbols;
    for (const auto& [word, count] : words) {
        symbols.emplace_back(std::vector<int32_t>(), count);
        for (const char c : word) symbols.back().first.push_back(c - 'a');
    }
    std::vector<std::pair<int32_t, int32_t>> merges;
    while (tokens.size() < vocab_size) {
        std::map<std::pair<int32_t, int32_t>, int64_t> counts;
        for (const auto& [word, count] : symbols)
            for (size_t i = 0; i + 1 < word.size(); ++i) counts[{word[i], word[i + 1]}] += count;
        std::pair<int32_t, int32_t> best;
        int64_t most = 1;
        for (const auto& [pair, count] : counts)
            if (count > most) {
                most = count;
                best = pair;
            }
        if (most < 2) break;
        const std::string text =
            tokens[static_cast<size_t>(best.first)] + tokens[static_cast<size_t>(best.second)];
        auto found = std::find(tokens.begin(), tokens.end(), text);
        if (found == tokens.end()) found = tokens.insert(tokens.end(), text);
        const auto id = static_cast<int32_t>(found - tokens.begin());
        merges.push_back(best);
        for (auto& [word, count] : symbols)
            for (size_t i = 0; i + 1 < word.size(); ++i)
                if (word[i] == best.first && word[i + 1] == best.second) {
                    word[i] = id;
                    word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                }
    }
    return merges;
}

struct Corpus {
    TempFolder folder;
    TokenizerTraining training;

    Corpus() {
        // Documents of every size, one of them longer than what a thread counts at a time.
        Random random("tokenizer corpus");
        std::string lines;
        for (int document = 0; document < 40; ++document) {
            std::string text;
            for (int64_t left = document == 7 ? 120'000 : random.integer(0, 300); left > 0; --left)
                text += "word" + std::to_string(random.integer(0, 40) * random.integer(0, 9)) +
                        (left % 9 == 0 ? ".\n" : " ");
            lines += nlohmann::json{{"body", text + "caf\xc3\xa9"}}.dump() + "\n";
        }
        write_file_atomic(folder / "text.jsonl", lines);
        training.inputs = {folder / "text.jsonl"};
        training.field = "body";
        training.vocab_size = 400;
    }
};

}  // namespace

TEST_CASE("merges are learned in the order of the definition") {
    Random random("learn merges");
    for (int round = 0; round < 40; ++round) {
        WordCounts words;
        const int64_t letters = random.integer(1, 4);
        for (int64_t left = random.integer(1, 25); left > 0; --left) {
            std::string word;
            for (int64_t k = random.integer(1, 9); k > 0; --k)
                word += static_cast<char>('a' + random.integer(0, letters - 1));
            words[word] += random.integer(1, 5);
        }
        std::vector<std::string> alphabet;
        for (int64_t i = 0; i < letters; ++i) alphabet.emplace_back(1, static_cast<char>('a' + i));
        const auto size = static_cast<size_t>(random.integer(letters, 40));
        const LearnedBpe learned = learn_bpe(words, {}, alphabet, static_cast<int64_t>(size));
        CHECK(learned.merges == learn_slowly(words, alphabet, size));
        CHECK(learned.tokens.size() <= size);
    }
}

TEST_CASE("no merge makes one of the first tokens") {
    const LearnedBpe learned = learn_bpe({{"<s>", 10}}, {"<s>"}, {"<", ">", "s"}, 10);
    for (const auto& [left, right] : learned.merges)
        CHECK(learned.tokens[static_cast<size_t>(left)] +
                  learned.tokens[static_cast<size_t>(right)] !=
              "<s>");
    CHECK(learned.tokens.size() == 5);
}

TEST_CASE("a trained tokenizer has what its family has, for any number of threads") {
    Corpus corpus;
    for (const TokenizerFamily family : {TokenizerFamily::kByteLevel, TokenizerFamily::kLlama}) {
        corpus.training.family = family;
        corpus.training.threads = 1;
        const std::string text = train_tokenizer(corpus.training);
        corpus.training.threads = 3;
        CHECK(train_tokenizer(corpus.training) == text);
        const auto tokenizer = make_bpe_tokenizer(text, "trained.json");
        CHECK(tokenizer->vocab_size() == 400);
        const std::string sample = "word12 word9.\nword360 caf\xc3\xa9 \xe2\x82\xac";
        const std::vector<int32_t> ids = tokenizer->encode(sample);
        CHECK(tokenizer->decode(ids) == sample);
        CHECK(ids.size() < sample.size() * 2 / 3);
        const bool llama = family == TokenizerFamily::kLlama;
        CHECK(tokenizer->separator() == (llama ? 2 : 0));
        CHECK(tokenizer->begin_of_text() == (llama ? std::optional<int32_t>(1) : std::nullopt));
    }
}

TEST_CASE("the separator is the only token with a usual name, or the post-processor's") {
    const auto separator = [](const nlohmann::json& change) {
        nlohmann::json file = {
            {"added_tokens", {{{"id", 1}, {"content", "</s>"}}}},
            {"model",
             {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", nlohmann::json::array()}}}};
        file.update(change);
        return make_bpe_tokenizer(file.dump(), "t.json")->separator();
    };
    CHECK(separator({{"version", "1.0"}}) == 1);
    CHECK(separator({{"added_tokens", nlohmann::json::array()}}) == std::nullopt);
    const nlohmann::json both = {{{"id", 1}, {"content", "</s>"}},
                                 {{"id", 2}, {"content", "<eos>"}}};
    CHECK(separator({{"added_tokens", both}}) == std::nullopt);
    const nlohmann::json ends = {
        {"type", "TemplateProcessing"},
        {"single", {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", "<eos>"}}}}}},
        {"special_tokens", {{"<eos>", {{"id", "<eos>"}, {"ids", {2}}}}}}};
    CHECK(separator({{"added_tokens", both}, {"post_processor", ends}}) == 2);
}

TEST_CASE("a vocabulary that can't be is refused") {
    Corpus corpus;
    for (const int64_t size : {int64_t{0}, int64_t{256}, int64_t{1} << 40}) {
        corpus.training.vocab_size = size;
        CHECK(thrown_by([&] { train_tokenizer(corpus.training); }).code == ExitCode::kUsage);
    }
    corpus.training.vocab_size = 100'000;  // more than the text has pairs for
    CHECK(make_bpe_tokenizer(train_tokenizer(corpus.training), "t.json")->vocab_size() < 100'000);
}
