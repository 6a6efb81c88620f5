#include <cmath>
#include <limits>
#include <map>

#include "core/utf8.hpp"
#include "data/tokenizer/bpe_tokenizer.hpp"
#include "generate/sample.hpp"
#include "generate/text_stream.hpp"
#include "support/thrown.hpp"
#include "support/whole_logits.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("sample: draws follow softmax(logits / temperature)") {
    const std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(5.0f)};
    std::map<int32_t, int> counts;
    for (int i = 0; i < 800; ++i) ++counts[draw_token(logits, {1.0}, (i + 0.5) / 800)];
    CHECK(counts[0] == 100);
    CHECK(counts[1] == 200);
    CHECK(counts[2] == 500);
    CHECK(draw_token(logits, {0}, 0.0) == 2);
    CHECK(draw_token({1, 3, 3}, {0}, 0.9) == 1);
    CHECK(draw_token(logits, {1.0}, std::nextafter(1.0, 0.0)) == 2);
    CHECK(thrown_by([] {
              draw_token({0, std::numeric_limits<float>::quiet_NaN()}, {1}, 0);
          }).code == ExitCode::kNumerics);
}

namespace {

// Logits whose softmax is these.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
    std::vector<float> logits;
    for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) - 3);
    return logits;
}

// What may be drawn, and how often it is with u on a fine grid.
std::map<int32_t, double> drawn(const std::vector<float>& logits, const Sampling& sampling) {
    constexpr int kDraws = 20000;
    std::map<int32_t, double> shares;
    for (int i = 0; i < kDraws; ++i)
        shares[draw_token(logits, sampling, (i + 0.5) / kDraws)] += 1.0 / kDraws;
    std::map<int32_t, double> wanted;
    double sum = 0;
    for (const Candidate& candidate : candidates(logits, sampling)) {
        if (!wanted.empty()) CHECK(candidate.id > wanted.rbegin()->first);
        wanted[candidate.id] = candidate.probability;
        sum += candidate.probability;
    }
    CHECK(sum == Approx(1));
    CHECK(shares.size() == wanted.size());
    for (const auto& [id, share] : shares) CHECK(share == Approx(wanted[id]).margin(2e-4));
    return wanted;
}

void check_shares(const std::map<int32_t, double>& found, const std::map<int32_t, double>& wanted) {
    CHECK(found.size() == wanted.size());
    for (const auto& [id, share] : wanted) {
        INFO("token " << id);
        REQUIRE(found.contains(id));
        CHECK(found.at(id) == Approx(share).epsilon(1e-5));
    }
}

}  // namespace

TEST_CASE("sample: top-k keeps the k likeliest, of equals the lower ids") {
    const auto logits = logits_of({0.1, 0.3, 0.05, 0.3, 0.15, 0.1});
    check_shares(drawn(logits, {1, 2}), {{1, 0.5}, {3, 0.5}});
    check_shares(drawn(logits, {1, 1}), {{1, 1}});
    check_shares(drawn(logits, {1, 4}),
                 {{0, 0.1 / 0.85}, {1, 0.3 / 0.85}, {3, 0.3 / 0.85}, {4, 0.15 / 0.85}});
    for (const int64_t all : {0, 6, 100}) CHECK(drawn(logits, {1, all}).size() == 6);
}

TEST_CASE("sample: top-p keeps the fewest that reach p, at least one") {
    const auto logits = logits_of({0.1, 0.4, 0.05, 0.3, 0.15});
    check_shares(drawn(logits, {1, 0, 0.69}), {{1, 4 / 7.0}, {3, 3 / 7.0}});
    check_shares(drawn(logits, {1, 0, 0.71}), {{1, 0.4 / 0.85}, {3, 0.3 / 0.85}, {4, 0.15 / 0.85}});
    check_shares(drawn(logits, {1, 0, 0.39}), {{1, 1}});
    check_shares(drawn(logits, {1, 0, 0}), {{1, 1}});
    CHECK(drawn(logits, {1, 0, 0.999}).size() == 5);
    CHECK(drawn(logits, {1, 0, 1}).size() == 5);
    // Of equals the lower ids, and no more than it takes.
    for (const double p : {0.45, 0.5})
        CHECK(drawn(logits_of({0.25, 0.25, 0.25, 0.25}), {1, 0, p}) ==
              std::map<int32_t, double>{{0, 0.5}, {1, 0.5}});
}

TEST_CASE("sample: first the temperature, then top-k, then top-p of what that leaves") {
    const auto logits = logits_of({0.1, 0.4, 0.05, 0.3, 0.15});
    // Squared: 0.01, 0.16, 0.0025, 0.09, 0.0225 of 0.285; the first two are 0.877 of it.
    check_shares(drawn(logits, {0.5, 0, 0.87}), {{1, 0.64}, {3, 0.36}});
    CHECK(drawn(logits, {1, 0, 0.87}).size() == 4);
    // Of the two likeliest, 0.4 and 0.3, the first is 0.571; of all it were 0.4.
    check_shares(drawn(logits, {1, 2, 0.5}), {{1, 1}});
    check_shares(drawn(logits, {1, 2, 0.6}), {{1, 4 / 7.0}, {3, 3 / 7.0}});
    CHECK(drawn(logits, {0, 3, 0.9}) == std::map<int32_t, double>{{1, 1}});
}

TEST_CASE("sample: text comes in whole characters, as fast as tokens do") {
    const auto tokenizer = make_tokenizer("bytes");
    const auto streamed = [&](const std::string& bytes) {
        TextStream stream(*tokenizer, {});
        std::vector<std::string> parts;
        for (const char c : bytes) {
            parts.push_back(stream.add(static_cast<unsigned char>(c)));
            CHECK(valid_utf8_prefix(parts.back()) == parts.back().size());
        }
        parts.push_back(stream.finish());
        return parts;
    };
    using Parts = std::vector<std::string>;
    const std::string bad = "\xef\xbf\xbd";
    CHECK(streamed("a\xe2\x82\xac") == Parts{"a", "", "", "\xe2\x82\xac", ""});
    CHECK(streamed("\xf0\x9f\x98\x80!") == Parts{"", "", "", "\xf0\x9f\x98\x80", "!", ""});
    CHECK(streamed("\xff"
                   "a") == Parts{bad, "a", ""});
    CHECK(streamed("\xe2"
                   "b\xc3") == Parts{"", bad + "b", "", bad});
    CHECK(streamed("\xe2\xc3\xa9") == Parts{"", bad, "\xc3\xa9", ""});
}

TEST_CASE("sample: the text of tokens is that of decoding them all after the prompt") {
    // The first word of a text has no space before it, others have: "_a" is decoded in two ways.
    const auto tokenizer = make_bpe_tokenizer(
        nlohmann::json{
            {"version", "1.0"},
            {"pre_tokenizer", nullptr},
            {"decoder",
             {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "always"}}},
            {"model",
             {{"type", "BPE"}, {"vocab", {{"_", 0}, {"a", 1}, {"_a", 2}}}, {"merges", {"_ a"}}}}}
            .dump(),
        "toy.json");
    const std::vector<int32_t> prompt{2, 1}, next{2, 1, 2, 0, 2};
    TextStream stream(*tokenizer, prompt);
    std::string text = tokenizer->decode(prompt);
    CHECK(text == "aa");
    for (const int32_t id : next) text += stream.add(id);
    text += stream.finish();
    std::vector<int32_t> all = prompt;
    all.insert(all.end(), next.begin(), next.end());
    CHECK(text == tokenizer->decode(all));
    CHECK(text == "aa aa a  a");
    TextStream fresh(*tokenizer, {});
    CHECK(fresh.add(2) == "a");
    CHECK(fresh.add(2) == " a");
}

TEST_CASE("sample: the window slides, and a seed gives one text") {
    std::vector<size_t> lengths;
    std::vector<int32_t> first, second;
    const auto logits = [&](const std::vector<int32_t>& ids) {
        lengths.push_back(ids.size());
        std::vector<float> all(10, 0.0f);
        all[static_cast<size_t>((ids.back() + 1) % 10)] = 2;
        return all;
    };
    SampleOptions options;
    options.tokens = 20;
    options.temperature = 1;
    generate({1, 2, 3}, 4, options, logits, [&](int32_t id) { first.push_back(id); });
    // A full context makes room for half of one.
    CHECK(std::vector<size_t>(lengths.begin(), lengths.begin() + 7) ==
          std::vector<size_t>{3, 4, 2, 3, 4, 2, 3});
    lengths.clear();
    generate({1, 2, 3, 4, 5, 6}, 4, options, logits, [](int32_t) {});
    CHECK(lengths[0] == 4);
    CHECK(lengths[1] == 2);
    lengths.clear();
    generate({1}, 1, options, logits, [](int32_t) {});
    CHECK(lengths == std::vector<size_t>(20, 1));
    generate({1, 2, 3}, 4, options, logits, [&](int32_t id) { second.push_back(id); });
    CHECK(first == second);
    CHECK(first.size() == 20);
}

TEST_CASE("sample: a trained model's logits are those of its checkpoint") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const Checkpoint checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-20");
    const Machine machine(2);
    const InferenceSession inference(config, *machine.backend, machine.ops, checkpoint);
    TrainingSession training(config, *machine.backend, machine.ops);
    training.restore(checkpoint);
    // loss of one scored target = lse - its logit
    std::vector<int32_t> ids;
    for (int i = 0; i < 17; ++i) ids.push_back((i * 7) % 61);
    const std::vector<float> logits = whole_logits(inference, ids);
    double sum = 0;
    for (float logit : logits) sum += std::exp(static_cast<double>(logit));
    HostBatch batch(3 * 40);
    std::copy(ids.begin(), ids.end(), batch.ids.begin());
    std::fill(batch.targets.begin(), batch.targets.end(), -1);
    batch.targets[16] = 9;
    CHECK(training.loss_sum(batch) == Approx(std::log(sum) - logits[9]).epsilon(1e-5));
}
