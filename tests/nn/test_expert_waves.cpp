#include "nn/expert_waves.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

using Counts = std::vector<int64_t>;

}  // namespace

TEST_CASE("expert waves: one wave where there is room, in the order of ranks and experts") {
    // Two ranks of two experts each: rank 0 sends 3, 1, 4, 0 rows, rank 1 sends 0, 5, 2, 6.
    const Counts counts{3, 1, 4, 0, 0, 5, 2, 6};
    const auto waves = expert_waves(counts, 2, 1, 100);
    REQUIRE(waves.size() == 1);
    CHECK(waves[0].offsets == Counts{0, 4, 4, 6, 12});
    CHECK(waves[0].sent[0].begin == 0);
    CHECK(waves[0].sent[0].end == 5);
    CHECK(waves[0].sent[1].begin == 5);
    CHECK(waves[0].sent[1].end == 13);
    CHECK(waves[0].received[0].end == 4);
    CHECK(waves[0].received[1].begin == 4);
    CHECK(waves[0].rows() == 12);
}

TEST_CASE("expert waves: every row travels once, groups stay whole, no wave has too many") {
    Random random("expert waves");
    for (int round = 0; round < 200; ++round) {
        const int64_t places = random.integer(1, 4), local = random.integer(1, 3);
        const int64_t experts = places * local, most = random.integer(1, 12);
        Counts counts;
        for (int64_t i = 0; i < places * experts; ++i)
            counts.push_back(random.integer(0, 2) == 0 ? 0 : random.integer(0, most));
        std::vector<std::vector<ExpertWave>> all;
        for (int64_t place = 0; place < places; ++place)
            all.push_back(expert_waves(counts, places, place, most));
        for (int64_t to = 0; to < places; ++to) {
            REQUIRE(all[static_cast<size_t>(to)].size() == all[0].size());
            std::vector<int64_t> seen(static_cast<size_t>(experts));  // rows by group
            for (const ExpertWave& wave : all[static_cast<size_t>(to)]) {
                CHECK(wave.rows() <= most);
                for (size_t g = 0; g < seen.size(); ++g) {
                    const int64_t rows = wave.offsets[g + 1] - wave.offsets[g];
                    const auto from = static_cast<int64_t>(g) / local;
                    const auto e = to * local + static_cast<int64_t>(g) % local;
                    const int64_t whole = counts[static_cast<size_t>(from * experts + e)];
                    CHECK((rows == 0 || rows == whole));
                    seen[g] += rows;
                }
            }
            for (size_t g = 0; g < seen.size(); ++g) {
                const auto from = static_cast<int64_t>(g) / local;
                const auto e = to * local + static_cast<int64_t>(g) % local;
                CHECK(seen[g] == counts[static_cast<size_t>(from * experts + e)]);
            }
        }
        // Both sides agree, and what a rank sends to another lies side by side from wave to wave.
        for (size_t from = 0; from < all.size(); ++from)
            for (size_t to = 0; to < all.size(); ++to) {
                int64_t next = -1;
                for (size_t w = 0; w < all[0].size(); ++w) {
                    const Range sent = all[from][w].sent[to];
                    CHECK(sent.length() == all[to][w].received[from].length());
                    if (sent.length() == 0) continue;
                    CHECK((next == -1 || sent.begin == next));
                    next = sent.end;
                }
            }
    }
}
