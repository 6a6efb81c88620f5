#include "eval/stream_loss.hpp"

#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Remembers what it was asked to score: the ids before each target in its window, and the target.
struct Scorer {
    int64_t context;
    std::vector<std::pair<std::vector<int32_t>, int32_t>> scored;
    int64_t batches = 0;

    double operator()(const HostBatch& batch) {
        ++batches;
        double sum = 0;
        for (int64_t i = 0; i < std::ssize(batch.targets); ++i) {
            const auto place = static_cast<size_t>(i);
            if (batch.targets[place] == kNotScored) continue;
            const auto begin = batch.ids.begin() + i / context * context;
            scored.emplace_back(std::vector<int32_t>(begin, batch.ids.begin() + i + 1),
                                batch.targets[place]);
            sum += batch.targets[place];
        }
        return sum;
    }
};

}  // namespace

TEST_CASE("stream loss: every token but the first is scored once, after its window's tokens") {
    Random random("stream loss");
    for (int trial = 0; trial < 60; ++trial) {
        const int64_t context = random.integer(1, 7), sequences = random.integer(1, 4);
        const int64_t size = trial < 30 ? trial : random.integer(30, 120);
        std::vector<int32_t> ids;
        for (int64_t i = 0; i < size; ++i)
            ids.push_back(static_cast<int32_t>(random.integer(0, 1000)));
        Scorer scorer{context, {}};
        StreamLoss loss(context, sequences, std::ref(scorer));
        for (size_t at = 0; at < ids.size();) {
            const size_t part = std::min(ids.size() - at, size_t(random.integer(0, 20)));
            loss.add(std::span(ids).subspan(at, part));
            at += part;
        }
        loss.finish();
        INFO("context " << context << " sequences " << sequences << " tokens " << size);
        const int64_t wanted = std::max<int64_t>(0, size - 1);
        CHECK(loss.tokens() == size);
        CHECK(loss.scored() == wanted);
        REQUIRE(std::ssize(scorer.scored) == wanted);
        CHECK(scorer.batches == (wanted + context * sequences - 1) / (context * sequences));
        double sum = 0;
        for (int64_t i = 0; i < wanted; ++i) {
            const auto& [before, target] = scorer.scored[static_cast<size_t>(i)];
            CHECK(target == ids[static_cast<size_t>(i) + 1]);
            CHECK(before ==
                  std::vector<int32_t>(ids.begin() + i / context * context, ids.begin() + i + 1));
            sum += target;
        }
        CHECK(loss.sum() == sum);
    }
}
