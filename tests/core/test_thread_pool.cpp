#include "core/thread_pool.hpp"

#include <stdexcept>

#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("thread pool: every part runs once, on a thread of the pool") {
    for (int threads : {1, 2, 4, 7}) {
        ThreadPool pool(threads);
        CHECK(pool.threads() == threads);
        for (int64_t parts : {0, 1, 2, 5, 100}) {
            std::vector<std::atomic<int>> runs(static_cast<size_t>(parts));
            std::atomic<bool> in_range{true};
            pool.run(parts, [&](int64_t part, int thread) {
                runs[static_cast<size_t>(part)]++;
                if (thread < 0 || thread >= threads) in_range = false;
            });
            CHECK(in_range);
            for (const auto& count : runs) CHECK(count == 1);
        }
    }
}

TEST_CASE("thread pool: thousands of runs in a row") {
    ThreadPool pool(3);
    std::atomic<int64_t> sum{0};
    for (int i = 0; i < 20000; ++i) pool.run(4, [&](int64_t part, int) { sum += part; });
    CHECK(sum == 20000 * 6);
}

TEST_CASE("thread pool: the lowest failing part's exception is thrown, and the pool lives on") {
    ThreadPool pool(3);
    const auto failing = [&] {
        pool.run(50, [](int64_t part, int) {
            if (part % 10 == 7) throw std::runtime_error(std::to_string(part));
        });
    };
    for (int i = 0; i < 20; ++i) CHECK_THROWS_WITH(failing(), "7");
    std::atomic<int> runs{0};
    pool.run(10, [&](int64_t, int) { ++runs; });
    CHECK(runs == 10);
}

TEST_CASE("partition: covers all rows once") {
    const Partition partition{10, 4};
    REQUIRE(partition.parts() == 3);
    CHECK(partition.end(0) == partition.begin(1));
    CHECK(partition.end(2) == 10);
    CHECK(Partition{0, 4}.parts() == 0);
}
