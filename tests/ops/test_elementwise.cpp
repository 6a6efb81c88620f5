#include "ops/elementwise.hpp"

#include <numeric>

#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("add and sum: every implementation against reference, odd sizes") {
    Random random("elementwise");
    for (int64_t n : {0, 1, 15, 16, 17, 1025, 140001}) {
        const Values inputs{
            {"a", random.vector(n)}, {"b", random.vector(n)}, {"x", random.vector(n, 0, 1)}};
        check_op<Add>(
            [&](DType t) {
                return Add{described({n}, t), described({n}, t), described({n}, t)};
            },
            inputs);
        for (bool squared : {false, true})
            check_op<Sum>(
                [&](DType t) {
                    return Sum{described({n}, t), described({1}, DType::kF64), squared, {}};
                },
                inputs);
    }
}

TEST_CASE(
    "squared_chunks: every implementation against reference; bits don't depend on the place") {
    Random random("squared chunks");
    const int64_t chunk = SquaredChunks::kChunk;
    const auto make = [&](int64_t n, DType t) {
        return SquaredChunks{described({n}, t), described({SquaredChunks::chunks(n)}, DType::kF64)};
    };
    for (int64_t n : {int64_t{0}, int64_t{1}, chunk - 1, chunk, chunk + 1, 130 * chunk + 17})
        check_op<SquaredChunks>([&](DType t) { return make(n, t); }, {{"x", random.vector(n)}});
    const std::vector<double> x = random.vector(7 * chunk + 5);
    for_implementations<SquaredChunks>([&](const Machine& machine) {
        for (DType t : {DType::kF32, DType::kBf16}) {
            const auto sums = [&](int64_t begin, int64_t end) {
                const std::vector<double> piece(x.begin() + begin, x.begin() + end);
                return run_op(machine, make(end - begin, t), {{"x", piece}}).at("sums_M");
            };
            const auto size = static_cast<int64_t>(x.size());
            std::vector<double> joined = sums(0, 3 * chunk);
            for (double sum : sums(3 * chunk, size)) joined.push_back(sum);
            CHECK(joined == sums(0, size));
        }
    });
}

TEST_CASE("random_normal: pieces are the whole's") {
    for_implementations<RandomNormal>([](const Machine& machine) {
        const auto draw = [&](int64_t first, int64_t count) {
            const RandomNormal op{described({count}, DType::kF32), philox_key(7, "pieces"), 2.0,
                                  1.5, first};
            return run_op(machine, op, {}).at("y");
        };
        std::vector<double> joined;
        for (int64_t first : {0, 1, 1000}) {
            const int64_t end = first == 0 ? 1 : first == 1 ? 1000 : 70001;
            for (double y : draw(first, end - first)) joined.push_back(y);
        }
        CHECK(joined == draw(0, 70001));
    });
}

TEST_CASE("random_normal: moments, and a function of key and element alone") {
    const Machine machine(1);
    const auto draw = [&](int64_t n, std::string_view purpose) {
        const RandomNormal op{described({n}, DType::kF64), philox_key(7, purpose), 2.0};
        return run_op(machine, op, {}).at("y");
    };
    const std::vector<double> y = draw(100000, "a"), longer = draw(100001, "a");
    CHECK(std::equal(y.begin(), y.end(), longer.begin()));
    CHECK(y != draw(100000, "b"));
    const double mean = std::accumulate(y.begin(), y.end(), 0.0) / 1e5;
    double square = 0, fourth = 0;
    for (double x : y) {
        square += x * x / 1e5;
        fourth += x * x * x * x / 1e5;
    }
    CHECK(std::fabs(mean) < 0.03);
    CHECK(square == Approx(4.0).epsilon(0.03));
    CHECK(fourth == Approx(48.0).epsilon(0.06));
}

TEST_CASE("random_normal: the same numbers by every implementation, truncated where told") {
    for (double cut : {0.0, 0.5, 3.0}) {
        const auto make = [&](DType t) {
            return RandomNormal{described({70001}, t), philox_key(7, "cut"), 2.0, cut};
        };
        check_op<RandomNormal>(make, {});
        double largest = 0;
        const Values drawn = run_op(Machine(1), make(DType::kF64), {});
        for (double y : drawn.at("y")) largest = std::max(largest, std::fabs(y));
        if (cut > 0) {
            CHECK(largest <= 2 * cut);
            CHECK(largest > 1.98 * cut);
        } else {
            CHECK(largest > 7);
        }
    }
    // What lies within is what it was without the cut.
    const auto draw = [&](double cut) {
        return run_op(Machine(1),
                      RandomNormal{described({1000}, DType::kF64), philox_key(7, "cut"), 1.0, cut},
                      {})
            .at("y");
    };
    const std::vector<double> whole = draw(0), truncated = draw(1);
    for (size_t i = 0; i < whole.size(); ++i)
        if (std::fabs(whole[i]) <= 1) REQUIRE(whole[i] == truncated[i]);
}

TEST_CASE("convert: between f32 and bf16 to nearest even, NaN and infinity kept") {
    Random random("convert");
    for (int64_t n : {0, 1, 15, 16, 17, 70001}) {
        std::vector<double> x;
        for (int64_t i = 0; i < n; ++i) {
            const auto bits = static_cast<uint32_t>(random.integer(0, 0xffffffff));
            const auto value = std::bit_cast<float>(bits);
            x.push_back(std::isfinite(value) ? value : 1.0f);
        }
        if (n > 20) {
            x[3] = std::bit_cast<float>(0x3f808000u);  // a tie: to even, down
            x[4] = std::bit_cast<float>(0x3f818000u);  // a tie: to even, up
            x[5] = std::numeric_limits<double>::infinity();
            x[6] = std::bit_cast<double>(0x7fffffffffffffffu);  // a NaN that rounding would end
            x[7] = std::bit_cast<float>(0x7f7fffffu);           // rounds to infinity
        }
        for_implementations<Convert>([&](const Machine& machine) {
            const Convert down{described({n}, DType::kF32), described({n}, DType::kBf16)};
            const Convert up{described({n}, DType::kBf16), described({n}, DType::kF32)};
            const Convert same{described({n}, DType::kF32), described({n}, DType::kF32)};
            const std::vector<double> rounded = run_op(machine, down, {{"x", x}}).at("y");
            for (size_t i = 0; i < x.size(); ++i) {
                const auto expected = static_cast<double>(Bf16(x[i]));
                REQUIRE(
                    (rounded[i] == expected || (std::isnan(expected) && std::isnan(rounded[i]))));
            }
            if (n > 20) return;
            CHECK(run_op(machine, up, {{"x", rounded}}).at("y") == rounded);
            CHECK(run_op(machine, same, {{"x", x}}).at("y") == x);
        });
    }
}

TEST_CASE("fill") {
    check_op<Fill>([](DType t) { return Fill{described({19}, t), 0.3}; }, {});
}
