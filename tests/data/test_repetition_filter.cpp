#include "data/loader.hpp"
#include "data/repetition_filter.hpp"
#include "data/token_file_writer.hpp"
#include "ops/cross_entropy.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// The rule word by word: some stretch of at least 32 p ids is p-periodic. Any longer one holds one
// of exactly that length.
bool oracle(const std::vector<int32_t>& ids) {
    for (size_t period = 1; period <= 13; ++period) {
        for (size_t begin = 0; begin + 32 * period <= ids.size(); ++begin) {
            bool periodic = true;
            for (size_t i = begin + period; i < begin + 32 * period && periodic; ++i)
                periodic = ids[i] == ids[i - period];
            if (periodic) return true;
        }
    }
    return false;
}

// `before` unlike ids, an n-gram of unlike ids so often (and `extra` ids more), unlike ids again.
std::vector<int32_t> repeated(int64_t period, int64_t times, int64_t extra, int64_t before) {
    std::vector<int32_t> ids;
    int32_t other = 1000;
    for (int64_t i = 0; i < before; ++i) ids.push_back(other++);
    for (int64_t i = 0; i < period * times + extra; ++i)
        ids.push_back(static_cast<int32_t>(i % period));
    for (int64_t i = 0; i < 3; ++i) ids.push_back(other++);
    return ids;
}

}  // namespace

TEST_CASE("repetition filter: 32 repeats of 1 to 13 ids, and no less or longer") {
    for (int64_t period = 1; period <= 13; ++period) {
        for (const int64_t before : {0, 1, 17}) {
            INFO("period " << period << " after " << before);
            CHECK_FALSE(is_repetitive(repeated(period, 31, 0, before)));
            CHECK_FALSE(is_repetitive(repeated(period, 31, period - 1, before)));
            CHECK(is_repetitive(repeated(period, 32, 0, before)));
            CHECK(is_repetitive(repeated(period, 33, 0, before)));
            std::vector<int32_t> broken = repeated(period, 32, 0, before);
            broken[static_cast<size_t>(before + 16 * period)] = 5000;
            CHECK_FALSE(is_repetitive(broken));
        }
    }
    for (const int64_t period : {14, 15, 17, 40})
        CHECK_FALSE(is_repetitive(repeated(period, 40, 0, 2)));
    CHECK(is_repetitive(repeated(2, 16 * 13, 0, 0)));
    CHECK_FALSE(is_repetitive({}));
    CHECK_FALSE(is_repetitive(std::vector<int32_t>(31, 7)));
    CHECK(is_repetitive(std::vector<int32_t>(32, 7)));
}

TEST_CASE("repetition filter: agrees with the rule word by word on random ids") {
    Random random("repetition filter");
    int repetitive = 0;
    for (int trial = 0; trial < 3000; ++trial) {
        // Copying a fixed distance back makes runs; a change now and then ends them.
        const int64_t alphabet = random.integer(1, 3), period = random.integer(1, 15);
        const double change = random.uniform(0, 1) < 0.3 ? 0 : random.uniform(0, 0.01);
        std::vector<int32_t> ids(static_cast<size_t>(random.integer(0, 500)));
        for (size_t i = 0; i < ids.size(); ++i)
            ids[i] = i < static_cast<size_t>(period) || random.uniform(0, 1) < change
                         ? static_cast<int32_t>(random.integer(0, alphabet))
                         : ids[i - static_cast<size_t>(period)];
        REQUIRE(is_repetitive(ids) == oracle(ids));
        repetitive += oracle(ids);
    }
    CHECK(repetitive > 300);
    CHECK(repetitive < 2700);
}

TEST_CASE("repetition filter: takes the targets of repetitive training samples, and only those") {
    constexpr int64_t kContext = 40;
    TempFolder folder;
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 10 * kContext + 1; ++i) ids.push_back(i % 256);
    // Sample 3 is one id all over; sample 6 has 31 in a row and one more, across its end.
    std::fill_n(ids.begin() + 3 * kContext, kContext, 9);
    std::fill_n(ids.begin() + 7 * kContext - 31, 32, 9);
    TokenFileWriter writer(folder / "a.bin", *make_tokenizer("bytes"));
    writer.begin_document();
    writer.append(ids);
    writer.finish();
    writer.publish();

    DataConfig config;
    config.train = {{folder / "a.bin", 1}};
    std::vector<int32_t> plain(10 * kContext), targets(plain), same(plain), filtered(plain);
    CHECK(Loader(config, DataTokenizer(config), 1, kContext, 256)
              .fill(0, 10, plain.data(), targets.data()) == 0);
    config.repetition_filter = true;
    const Loader loader(config, DataTokenizer(config), 1, kContext, 256);
    CHECK(loader.fill(0, 10, same.data(), filtered.data()) == 1);
    CHECK(same == plain);
    for (size_t s = 0; s < 10; ++s) {
        const bool nines = plain[s * kContext] == 9 && plain[s * kContext + 1] == 9;
        for (size_t t = s * kContext; t < (s + 1) * kContext; ++t)
            CHECK(filtered[t] == (nines ? kNotScored : targets[t]));
    }
    const ValidationReader reader({.path = folder / "a.bin"}, DataTokenizer(config), 1, kContext,
                                  256, 0);
    reader.fill(0, 10, same.data(), filtered.data());
    CHECK(std::count(filtered.begin(), filtered.end(), kNotScored) == 0);
}
