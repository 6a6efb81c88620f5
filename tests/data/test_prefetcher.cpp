#include <atomic>
#include <chrono>
#include <stdexcept>

#include "data/prefetcher.hpp"
#include "support/catch.hpp"

using namespace polytrain;

namespace {

// True once `condition` holds; false after ten seconds without.
template <class Condition>
bool wait_until(Condition&& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

void number_batch(int64_t number, HostBatch& batch) {
    std::fill(batch.ids.begin(), batch.ids.end(), static_cast<int32_t>(number));
    std::fill(batch.targets.begin(), batch.targets.end(), static_cast<int32_t>(-number));
}

}  // namespace

TEST_CASE("prefetcher: every batch once, in order, whole, whichever side is slower") {
    const int ahead = GENERATE(1, 2, 3, 7);
    const bool slow_source = GENERATE(true, false);
    const auto pause = [](bool slow, int64_t i) {
        if (slow && i % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
    };
    Prefetcher prefetcher(50, ahead, [&](int64_t number, HostBatch& batch) {
        pause(slow_source, number);
        number_batch(number, batch);
    });
    for (int64_t i = 0; i < 300; ++i) {
        const HostBatch& batch = prefetcher.next();
        pause(!slow_source, i);
        const auto number = static_cast<int32_t>(i);
        REQUIRE(batch.ids == std::vector<int32_t>(50, number));
        REQUIRE(batch.targets == std::vector<int32_t>(50, -number));
    }
}

TEST_CASE("prefetcher: batches are ready before they are asked for, and no more than was said") {
    std::atomic<int64_t> filled{0};
    Prefetcher prefetcher(1, 3, [&](int64_t number, HostBatch& batch) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // a slow source
        number_batch(number, batch);
        filled = number + 1;
    });
    // One in use and three ahead; before the first is taken, four ahead.
    for (int64_t i = 0; i < 20; ++i) {
        REQUIRE(wait_until([&] { return filled == std::max<int64_t>(i, 1) + 3; }));
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        REQUIRE(filled == std::max<int64_t>(i, 1) + 3);
        REQUIRE(prefetcher.next().ids[0] == i);
    }
}

TEST_CASE("prefetcher: what filling throws comes where its batch would, and stays") {
    std::atomic<bool> thrown{false};
    Prefetcher prefetcher(1, 3, [&](int64_t number, HostBatch& batch) {
        if (number == 2) {
            thrown = true;
            throw std::runtime_error("batch 2 is bad");
        }
        number_batch(number, batch);
    });
    REQUIRE(wait_until([&] { return thrown.load(); }));
    CHECK(prefetcher.next().ids[0] == 0);
    CHECK(prefetcher.next().ids[0] == 1);
    CHECK_THROWS_WITH(prefetcher.next(), "batch 2 is bad");
    CHECK_THROWS_WITH(prefetcher.next(), "batch 2 is bad");
}

TEST_CASE("prefetcher: ends at any time without a hang") {
    for (int taken = 0; taken < 40; ++taken) {
        Prefetcher prefetcher(10, 1 + taken % 4, [&](int64_t number, HostBatch& batch) {
            if (number == 20 + taken % 3) throw std::runtime_error("late");
            number_batch(number, batch);
        });
        for (int i = 0; i < taken % 20; ++i) prefetcher.next();
    }
}
