#include <cmath>
#include <map>
#include <random>
#include <set>

#include "data/sample_order_oracle.hpp"
#include "data/sampler.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("a permutation hits every place once, for every size") {
    for (const uint64_t n : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1000, 4096, 4097, 50000}) {
        const Permutation order(n, 7, 0, 3);
        std::vector<bool> seen(n);
        for (uint64_t i = 0; i < n; ++i) {
            const uint64_t at = order(i);
            REQUIRE(at < n);
            REQUIRE(!seen[at]);
            seen[at] = true;
        }
    }
}

TEST_CASE("a permutation of astronomically many places stays in range and is one to one") {
    for (const uint64_t n : {(uint64_t{1} << 40) + 1, uint64_t{1} << 62}) {
        const Permutation order(n, 1, 0, 0);
        std::set<uint64_t> seen;
        for (uint64_t i = 0; i < 10000; ++i) seen.insert(order(n - 1 - i * 1000003));
        CHECK(seen.size() == 10000);
        CHECK(*seen.rbegin() < n);
    }
}

TEST_CASE("seed, source and epoch each give another order; small ones appear equally often") {
    const auto order = [](uint64_t seed, uint64_t source, uint64_t epoch) {
        std::vector<uint64_t> places;
        const Permutation permutation(1000, seed, source, epoch);
        for (uint64_t i = 0; i < 1000; ++i) places.push_back(permutation(i));
        return places;
    };
    const auto base = order(1, 0, 0);
    CHECK(order(1, 0, 0) == base);
    for (const auto& other : {order(2, 0, 0), order(1, 1, 0), order(1, 0, 1)}) {
        int same = 0;
        for (size_t i = 0; i < 1000; ++i) same += other[i] == base[i];
        CHECK(same < 10);  // one is expected of unrelated orders
    }
    std::map<std::vector<uint64_t>, int> counts;
    for (uint64_t epoch = 0; epoch < 6000; ++epoch) {
        const Permutation p(3, 1, 0, epoch);
        ++counts[{p(0), p(1), p(2)}];
    }
    REQUIRE(counts.size() == 6);
    for (const auto& [places, count] : counts) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("positions of neighbours in the order are unrelated") {
    const uint64_t n = 100000;
    const Permutation order(n, 5, 0, 0);
    double sum = 0;  // of the products of neighbours' centred places, over their variance
    const double mean = (static_cast<double>(n) - 1) / 2;
    for (uint64_t i = 0; i + 1 < n; ++i)
        sum += (static_cast<double>(order(i)) - mean) * (static_cast<double>(order(i + 1)) - mean);
    const double variance = static_cast<double>(n) * static_cast<double>(n) / 12;
    CHECK(std::abs(sum / static_cast<double>(n) / variance) < 0.02);
}

TEST_CASE("two sources stay within one sample of their ratio at every point") {
    const auto [first, second] =
        GENERATE(table<double, double>({{0.7, 0.3}, {1, 1}, {1e-3, 1}, {1, 1e-3}, {0.5, 1e-9}}));
    const Mixture mixture({first, second});
    const double share = first / (first + second);
    int64_t counts[2] = {0, 0};
    double worst = 0;
    bool in_order = true;  // each source's own 0, 1, 2, ..., none left out
    for (int64_t g = 0; g < 1000000 && in_order; ++g) {
        const Mixture::Place place = mixture(g);
        in_order =
            (place.source == 0 || place.source == 1) && place.index == counts[place.source]++;
        worst = std::max(
            worst, std::abs(static_cast<double>(counts[0]) - share * static_cast<double>(g + 1)));
    }
    CHECK(in_order);
    CHECK(worst <= 0.5 + 1e-6);
}

TEST_CASE("the ratio also holds far out, where doubles cannot count") {
    const Mixture mixture({0.7, 0.3});
    std::mt19937_64 random(1);
    for (int i = 0; i < 10000; ++i) {
        const auto g = static_cast<int64_t>((uint64_t{1} << 50) + random() % (uint64_t{1} << 49));
        const Mixture::Place place = mixture(g);
        const Mixture::Place next = mixture(g + 1);
        // Of the first g numbers, n are the first source's: index + 0 or g - index.
        const int64_t n = place.source == 0 ? place.index : g - place.index;
        const long double exact = static_cast<long double>(g) * 0.7L;
        REQUIRE(std::abs(static_cast<long double>(n) - exact) <= 1.0L);
        const int64_t n_next = next.source == 0 ? next.index : g + 1 - next.index;
        REQUIRE(n_next == n + (place.source == 0 ? 1 : 0));
    }
}

TEST_CASE("many sources: each its own 0, 1, 2, ..., and near its share") {
    const std::vector<double> weights{3, 1, 0.5, 7, 1e-12, 2};
    const Mixture mixture(weights);
    std::vector<int64_t> counts(weights.size());
    for (int64_t g = 0; g < 200000; ++g) {
        const Mixture::Place place = mixture(g);
        REQUIRE(place.index == counts[static_cast<size_t>(place.source)]++);
    }
    for (size_t i = 0; i < weights.size(); ++i)
        CHECK(std::abs(static_cast<double>(counts[i]) - 200000 * weights[i] / 13.5) < 3);
}

TEST_CASE("each epoch of each source reads all of its samples once, at 10,000 random points too") {
    const SampleOrder order(9, {{37, 0.7}, {11, 0.3}});
    std::map<std::pair<int64_t, int64_t>, std::set<int64_t>> seen;  // (source, epoch) -> samples
    std::vector<SampleOrder::Place> places;
    for (int64_t g = 0; g < 20000; ++g) {
        places.push_back(order(g));
        const auto& [source, epoch, sample] = places.back();
        REQUIRE(sample < (source == 0 ? 37 : 11));
        REQUIRE(seen[{source, epoch}].insert(sample).second);  // not twice in an epoch
    }
    for (const auto& [key, samples] : seen) {
        const bool last = !seen.count({key.first, key.second + 1});
        if (!last) REQUIRE(samples.size() == (key.first == 0 ? 37 : 11));  // none left out
    }
    std::mt19937_64 random(3);  // asked in any order, the answers are the same
    for (int i = 0; i < 10000; ++i) {
        const size_t g = random() % places.size();
        const SampleOrder::Place place = order(static_cast<int64_t>(g));
        REQUIRE(place.source == places[g].source);
        REQUIRE(place.epoch == places[g].epoch);
        REQUIRE(place.sample == places[g].sample);
    }
}

TEST_CASE("10,000 random cuts over ranks and micro-batches: samples and order are the page's") {
    Random random("sample order");
    std::vector<SampleOrder::Source> sources;
    for (int cut = 0; cut < 10000; ++cut) {
        sources.clear();
        std::vector<SampleOrderOracle::Source> same;
        for (int64_t i = random.integer(1, 4); i > 0; --i) {
            // Of few samples, so that cuts cross epochs, and of as many as a corpus has.
            sources.push_back({random.integer(1, random.integer(0, 3) == 0 ? int64_t{1} << 45 : 40),
                               random.integer(0, 1) == 0 ? random.uniform(0.01, 1)
                                                         : std::exp(random.uniform(-30, 30))});
            same.push_back({sources.back().samples, sources.back().weight});
        }
        const auto seed = static_cast<uint64_t>(random.integer(0, INT64_MAX - 1));
        // A global batch: each rank has a contiguous slice of it, in micro-batches.
        const int64_t ranks = random.integer(1, 8), micro = random.integer(1, 3),
                      per_rank = micro * random.integer(1, 3), batch = ranks * per_rank;
        const int64_t step = random.integer(0, random.integer(0, 1) == 0 ? 100 : int64_t{1} << 48);
        INFO("cut " << cut << ", seed " << seed << ", batch " << batch << ", step " << step);

        std::vector<SampleOrder::Place> of_rank;
        for (int64_t rank = 0; rank < ranks; ++rank) {
            const SampleOrder order(seed, sources);  // each rank makes its own, at any index
            for (int64_t first = 0; first < per_rank; first += micro)
                for (int64_t i = 0; i < micro; ++i)
                    of_rank.push_back(order(step * batch + rank * per_rank + first + i));
        }
        const SampleOrderOracle oracle(seed, same);
        bool agree = true;
        for (int64_t i = 0; i < batch; ++i) {
            const auto& [source, epoch, sample] = of_rank[static_cast<size_t>(i)];
            agree &= oracle(step * batch + i) == SampleOrderOracle::Place{source, epoch, sample};
        }
        REQUIRE(agree);
    }
}

TEST_CASE("the sample order is the one it has always been") {
    const SampleOrder order(1, {{1000, 0.7}, {500, 0.3}});
    std::vector<int64_t> start;
    for (int64_t g = 0; g < 8; ++g) start.push_back(order(g).source * 1000 + order(g).sample);
    CHECK(start == std::vector<int64_t>{430, 1483, 436, 429, 1398, 179, 941, 155});
    const SampleOrderOracle oracle(1, {{1000, 0.7}, {500, 0.3}});
    CHECK(oracle(1) == SampleOrderOracle::Place{1, 0, 483});
}

TEST_CASE("sources without samples and weights that are no weights are bugs of the caller") {
    CHECK(thrown_by([] { Mixture m({}); }).code == ExitCode::kInternal);
    CHECK(thrown_by([] { Mixture m({1, 0}); }).code == ExitCode::kInternal);
    CHECK(thrown_by([] { SampleOrder o(1, {{0, 1}}); }).code == ExitCode::kInternal);
    CHECK(thrown_by([] { Permutation(3, 1, 0, 0)(3); }).code == ExitCode::kInternal);
}
