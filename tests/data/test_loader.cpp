#include <map>
#include <set>

#include "data/loader.hpp"
#include "data/number_tokenizer.hpp"
#include "data/token_file_writer.hpp"
#include "support/bigram.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kContext = 5;

// A source whose tokens are first, first + 1, ... so that a token tells where it stood.
void write_count(const fs::path& bin, const Tokenizer& tokenizer, int32_t first, int64_t tokens) {
    TokenFileWriter writer(bin, tokenizer);
    writer.begin_document();
    for (int32_t i = 0; i < tokens; ++i) writer.append(std::vector{first + i});
    writer.finish();
    writer.publish();
}

struct Fixture {
    TempFolder folder;
    std::unique_ptr<Tokenizer> bytes = make_tokenizer("bytes");
    DataConfig config;

    std::string source(const std::string& name, int32_t first, int64_t tokens) {
        write_count(folder / name, *bytes, first, tokens);
        return folder / name;
    }
    Thrown opening(int64_t vocab_size = 256) {
        return thrown_by(
            [&] { Loader loader(config, DataTokenizer(config), 1, kContext, vocab_size); });
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "each epoch reads every whole window once; targets are ids shifted by one") {
    const int64_t tokens = kContext * 7 + GENERATE(1, 2, 5);
    config.train = {{source("a.bin", 0, tokens), 1}};
    const Loader loader(config, DataTokenizer(config), 1, kContext, 256);
    std::vector<int32_t> ids(7 * kContext), targets(7 * kContext);
    std::vector<std::set<int32_t>> orders;
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
        loader.fill(epoch * 7, 7, ids.data(), targets.data());
        std::set<int32_t> starts;
        for (size_t s = 0; s < 7; ++s) {
            starts.insert(ids[s * kContext]);
            for (int32_t t = 0; t < kContext; ++t) {
                CHECK(ids[s * kContext + static_cast<size_t>(t)] == ids[s * kContext] + t);
                CHECK(targets[s * kContext + static_cast<size_t>(t)] == ids[s * kContext] + t + 1);
            }
        }
        CHECK(starts == std::set<int32_t>{0, 5, 10, 15, 20, 25, 30});
    }
}

TEST_CASE_METHOD(Fixture, "a batch is its samples one by one, whoever asks for which") {
    config.train = {{source("a.bin", 0, 101), 0.7}, {source("b.bin", 128, 51), 0.3}};
    const Loader loader(config, DataTokenizer(config), 3, kContext, 256);
    std::vector<int32_t> ids(20 * kContext), targets(ids), one(kContext), one_target(kContext);
    loader.fill(13, 20, ids.data(), targets.data());
    int64_t of_a = 0;
    for (int64_t i = 0; i < 20; ++i) {
        Loader(config, DataTokenizer(config), 3, kContext, 256)
            .fill(13 + i, 1, one.data(), one_target.data());
        CHECK(std::equal(one.begin(), one.end(), ids.begin() + i * kContext));
        CHECK(std::equal(one_target.begin(), one_target.end(), targets.begin() + i * kContext));
        of_a += one[0] < 128;
    }
    CHECK(of_a == 14);
    CHECK(loader.tokens() == 152);
}

TEST_CASE_METHOD(Fixture,
                 "the fingerprint follows sources, weights and context, not paths or seed") {
    config.train = {{source("a.bin", 0, 101), 1}, {source("b.bin", 0, 51), 2}};
    const auto fingerprint = [](const DataConfig& c, uint64_t seed, int64_t context) {
        return Loader(c, DataTokenizer(c), seed, context, 256).fingerprint();
    };
    const std::string base = fingerprint(config, 1, kContext);
    CHECK(fingerprint(config, 2, kContext) == base);
    CHECK(fingerprint(config, 1, kContext + 1) != base);
    DataConfig other = config;
    other.train[0].weight = 1.5;
    CHECK(fingerprint(other, 1, kContext) != base);
    other = config;
    std::swap(other.train[0].path, other.train[1].path);
    CHECK(fingerprint(other, 1, kContext) != base);
    other = config;
    other.train[0].path = source("c.bin", 0, 101);
    CHECK(fingerprint(other, 1, kContext) == base);
    other.train[0].path = source("c.bin", 1, 101);
    CHECK(fingerprint(other, 1, kContext) != base);
    other.synthetic = true;
    CHECK(fingerprint(other, 1, kContext) != fingerprint(other, 2, kContext));
}

TEST_CASE_METHOD(Fixture, "sources that do not fit are refused with names and numbers") {
    SECTION("no source") {
        CHECK(opening().code == ExitCode::kBadConfig);
        CHECK(opening().says("data.train"));
    }
    SECTION("weight") {
        for (const double weight : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
            config.train = {{source("a.bin", 0, 101), weight}};
            CHECK(opening().code == ExitCode::kBadConfig);
        }
    }
    SECTION("vocabulary larger than the model's") {
        config.train = {{source("a.bin", 0, 101), 1}};
        CHECK(opening(256).code == ExitCode::kDone);
        const Thrown thrown = opening(255);
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK((thrown.says("a.bin") && thrown.says("256") && thrown.says("255")));
    }
    SECTION("another tokenizer") {
        write_count(folder / "n.bin", NumberTokenizer(200), 0, 101);
        config.train = {{folder / "n.bin", 1}};
        const Thrown thrown = opening();
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK((thrown.says("n.bin") && thrown.says("numbers") && thrown.says("bytes")));
    }
    SECTION("too short") {
        config.train = {{source("a.bin", 0, kContext + 1), 1}};
        CHECK(opening().code == ExitCode::kDone);
        config.train = {{source("a.bin", 0, kContext), 1}};
        CHECK(opening().code == ExitCode::kCorrupt);
        CHECK(opening().says("5 tokens are too few"));
    }
    SECTION("missing") {
        config.train = {{folder / "none.bin", 1}};
        CHECK(opening().code == ExitCode::kInputMissing);
    }
    SECTION("damaged") {
        config.train = {{source("a.bin", 0, 101), 1}};
        flip_bit(folder / "a.bin", 17, 3);
        CHECK(opening().code == ExitCode::kCorrupt);
    }
}

TEST_CASE_METHOD(Fixture, "validation reads evenly spaced windows in order, at most the limit") {
    const std::string path = source("v.bin", 0, kContext * 10 + 3);
    const auto starts = [&](int64_t limit) {
        const ValidationReader reader({.path = path}, DataTokenizer(config), 1, kContext, 256,
                                      limit);
        std::vector<int32_t> ids(static_cast<size_t>(reader.sequences() * kContext)), targets(ids);
        reader.fill(0, reader.sequences(), ids.data(), targets.data());
        std::vector<int32_t> windows;
        for (size_t i = 0; i < ids.size(); i += kContext) {
            windows.push_back(ids[i] / kContext);
            CHECK(targets[i + kContext - 1] == ids[i] + kContext);
        }
        return windows;
    };
    CHECK(starts(0) == std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(starts(11) == starts(0));
    CHECK(starts(5) == std::vector<int32_t>{0, 2, 4, 6, 8});
    CHECK(starts(3) == std::vector<int32_t>{0, 3, 6});
    CHECK(starts(1) == std::vector<int32_t>{0});
    const ValidationReader reader({.path = path}, DataTokenizer(config), 1, kContext, 256, 3);
    CHECK(thrown_by([&] { reader.fill(2, 2, nullptr, nullptr); }).code == ExitCode::kInternal);
}

TEST_CASE_METHOD(Fixture, "synthetic data: in range, skewed as said, held-out apart, by seed") {
    config.synthetic = true;
    const int64_t vocab = GENERATE(1, 2, 300, 50304);
    const Loader loader(config, DataTokenizer(config), 1, kContext, vocab);
    std::vector<int32_t> ids(20000 * kContext), targets(ids), other(ids);
    loader.fill(0, 20000, ids.data(), targets.data());
    int64_t low = 0;  // below V/8: u < 1/2
    for (const int32_t id : ids) {
        REQUIRE((0 <= id && id < vocab));
        low += id < (vocab + 7) / 8;
    }
    if (vocab > 100) CHECK(std::abs(static_cast<double>(low) / 1e5 - 0.5) < 0.01);
    CHECK(std::equal(ids.begin() + 1, ids.begin() + kContext, targets.begin()));

    const ValidationReader held_out(SourceConfig{}, DataTokenizer(config), 1, kContext, vocab, 0);
    CHECK(held_out.sequences() == 256);
    held_out.fill(0, 256, other.data(), targets.data());
    if (vocab > 2) CHECK(!std::equal(other.begin(), other.begin() + 100, ids.begin()));
    Loader(config, DataTokenizer(config), 2, kContext, vocab)
        .fill(0, 256, other.data(), targets.data());
    if (vocab > 2) CHECK(!std::equal(other.begin(), other.begin() + 100, ids.begin()));
}

TEST_CASE("the bigram baseline knows what follows what") {
    std::vector<int32_t> periodic;
    for (int i = 0; i < 30000; ++i) periodic.push_back("abc"[i % 3]);
    CHECK(bigram_loss(periodic, periodic) < 1e-3);
    std::vector<int32_t> uniform;
    for (int i = 0; i < 1000; ++i) uniform.push_back(i * 7919 % 256);
    CHECK(bigram_loss({}, uniform) == Approx(std::log(256)));
}
