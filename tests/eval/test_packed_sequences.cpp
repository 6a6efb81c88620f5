#include "eval/packed_sequences.hpp"

#include <set>

#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// The ids at the positions up to each row's, as a cache would hold them.
std::vector<std::vector<int32_t>> read_at_rows(const PackedSequences& pass) {
    std::vector<std::vector<int32_t>> at_rows;
    std::vector<int32_t> cache;
    int64_t next = 0;
    for (const Segment& segment : pass.segments) {
        CHECK(segment.begin == next);
        CHECK(segment.end > segment.begin);
        REQUIRE(segment.position <= std::ssize(cache));
        cache.resize(static_cast<size_t>(segment.position));
        for (next = segment.begin; next < segment.end; ++next) {
            cache.push_back(pass.ids[static_cast<size_t>(next)]);
            at_rows.push_back(cache);
        }
    }
    CHECK(next == std::ssize(pass.ids));
    return at_rows;
}

}  // namespace

TEST_CASE("packed sequences: what choices share has rows once, what is looked for is all there") {
    // Two choices after a context, a longer one, one that begins like the one before it.
    const std::vector<ScoredSequence> sequences{{{1, 2, 3, 4}, 1},
                                                {{1, 2, 3, 5}, 1},
                                                {{1, 2, 3, 6, 7}, 2},
                                                {{1, 2, 3, 6, 8, 9}, 3},
                                                {{1, 9, 3, 4}, 2}};
    const auto passes = pack(sequences, 20);
    REQUIRE(passes.size() == 1);
    const PackedSequences& pass = passes[0];
    CHECK(pass.ids == std::vector<int32_t>{1, 2, 3, 6, 8, 9, 3});
    CHECK(pass.rows == std::vector<int32_t>{2, 2, 2, 3, 2, 3, 4, 5, 6});
    CHECK(pass.targets == std::vector<int32_t>{4, 5, 6, 7, 6, 8, 9, 3, 4});
    REQUIRE(pass.segments.size() == 4);
    CHECK(pass.segments[1].position == 3);
    CHECK(pass.segments[3].position == 1);
    CHECK(pass.count == 5);
}

TEST_CASE("packed sequences: every target follows its own sequence, within the rows there are") {
    Random random("packed");
    for (int trial = 0; trial < 200; ++trial) {
        std::vector<ScoredSequence> sequences;
        const int64_t count = random.integer(0, 30), most = random.integer(1, 12);
        for (int64_t i = 0; i < count; ++i) {
            ScoredSequence sequence;
            const int64_t length = random.integer(2, most + 1);
            for (int64_t k = 0; k < length; ++k)  // few ids: much is shared
                sequence.ids.push_back(static_cast<int32_t>(random.integer(0, 1)));
            sequence.scored = random.integer(1, length - 1);
            sequences.push_back(sequence);
        }
        const int64_t rows = most + random.integer(0, 30);
        int64_t next = 0;
        for (const PackedSequences& pass : pack(sequences, rows)) {
            CHECK(std::ssize(pass.ids) <= rows);
            CHECK(std::ssize(pass.rows) <= rows);
            REQUIRE(pass.rows.size() == pass.targets.size());
            CHECK(pass.first == next);
            REQUIRE(pass.count > 0);
            const auto at_rows = read_at_rows(pass);
            size_t target = 0;
            for (int64_t i = 0; i < pass.count; ++i) {
                const ScoredSequence& sequence = sequences[static_cast<size_t>(next++)];
                const auto end = sequence.ids.end();
                for (auto at = end - sequence.scored; at != end; ++at, ++target) {
                    REQUIRE(target < pass.targets.size());
                    CHECK(pass.targets[target] == *at);
                    CHECK(at_rows[static_cast<size_t>(pass.rows[target])] ==
                          std::vector<int32_t>(sequence.ids.begin(), at));
                }
            }
            CHECK(target == pass.targets.size());
        }
        CHECK(next == count);
    }
}
