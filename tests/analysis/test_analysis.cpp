#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/distribution.hpp"
#include "analysis/effective_rank.hpp"
#include "analysis/similarity.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double rank_of(const std::vector<float>& matrix, int64_t rows, int64_t columns) {
    return effective_rank(matrix, rows, columns, "layers.3.up");
}

}  // namespace

TEST_CASE("effective rank: by hand") {
    CHECK(rank_of({-7}, 1, 1) == Approx(1));
    CHECK(rank_of({0, 0, 0, 0}, 2, 2) == 0);
    CHECK(rank_of({3, 0, 0, 3}, 2, 2) == Approx(2));
    CHECK(rank_of({0, -2, 2, 0}, 2, 2) == Approx(2));  // a rotation
    CHECK(rank_of({1, 2, 2, 4, 3, 6}, 3, 2) == Approx(1).epsilon(1e-5));
    CHECK(rank_of({1, 2, 3, 2, 4, 6}, 2, 3) == Approx(1).epsilon(1e-5));
    // Singular values 3 and 1: p = 3/4 and 1/4.
    const double entropy = -(0.75 * std::log(0.75) + 0.25 * std::log(0.25));
    CHECK(rank_of({3, 0, 0, 1}, 2, 2) == Approx(std::exp(entropy)));
    CHECK(rank_of({0, 0, 1, 3, 0, 0}, 2, 3) == Approx(std::exp(entropy)));
    CHECK(rank_of({2, 1, 1, 2}, 2, 2) == Approx(std::exp(entropy)));  // eigenvalues 3 and 1
    // [[3, 0], [4, 5]]: the Gram matrix [[25, 20], [20, 25]] has eigenvalues 45 and 5, so s is
    // 3 sqrt(5) and sqrt(5): p = 3/4 and 1/4 again.
    CHECK(rank_of({3, 0, 4, 5}, 2, 2) == Approx(std::exp(entropy)));
    CHECK(rank_of({3, 4, 0, 5}, 2, 2) == Approx(std::exp(entropy)));
}

TEST_CASE("effective rank: scaling, transposition and turning change nothing") {
    Random random("rank");
    constexpr int64_t kRows = 7, kColumns = 4;
    std::vector<float> matrix, scaled, transposed(kRows * kColumns), turned;
    for (int64_t i = 0; i < kRows * kColumns; ++i) {
        matrix.push_back(static_cast<float>(random.uniform(-1, 1)));
        scaled.push_back(matrix.back() * -32);
        transposed[static_cast<size_t>(i % kColumns * kRows + i / kColumns)] = matrix.back();
    }
    turned = matrix;  // rows 2 and 5 by an angle
    const double angle = random.uniform(0, 3);
    for (size_t j = 0; j < kColumns; ++j) {
        const double a = matrix[2 * kColumns + j], b = matrix[5 * kColumns + j];
        turned[2 * kColumns + j] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
        turned[5 * kColumns + j] = static_cast<float>(a * std::sin(angle) + b * std::cos(angle));
    }
    const double rank = rank_of(matrix, kRows, kColumns);
    CHECK(rank > 1);
    CHECK(rank < kColumns);
    CHECK(rank_of(scaled, kRows, kColumns) == Approx(rank).epsilon(1e-12));
    CHECK(rank_of(transposed, kColumns, kRows) == Approx(rank).epsilon(1e-12));
    CHECK(rank_of(turned, kRows, kColumns) == Approx(rank).epsilon(1e-5));
}

TEST_CASE("effective rank: what rounding leaves in a wide matrix counts as zero") {
    Random random("wide");
    constexpr size_t kSide = 512;
    std::vector<float> left, right, matrix;
    for (size_t i = 0; i < kSide; ++i) {
        left.push_back(static_cast<float>(random.uniform(-1, 1)));
        right.push_back(static_cast<float>(random.uniform(-1, 1)));
    }
    for (const float a : left)
        for (const float b : right) matrix.push_back(a * b);
    CHECK(rank_of(matrix, kSide, kSide) == Approx(1).epsilon(1e-12));
}

TEST_CASE("effective rank: a matrix with numbers that are not finite is refused by its name") {
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
        const Thrown thrown = thrown_by([&] { rank_of({1, 2, bad, 4}, 2, 2); });
        CHECK(thrown.code == ExitCode::kNumerics);
        CHECK(thrown.says("layers.3.up: "));
    }
    CHECK(rank_of({3e38F, 0, 0, 3e38F}, 2, 2) == Approx(2));
}

TEST_CASE("similarity: mean cosines by hand, over all tokens of all batches") {
    Similarity similarity(3, 2);
    // Two tokens: the second state is turned by 90 and by 60 degrees, the third points away.
    const auto half = static_cast<float>(std::sqrt(0.75));
    similarity.add({{1, 0, 2, 0}, {0, 5, 0.5F, half}, {-3, 0, -1, 0}});
    // A third token: the same direction for all; lengths don't count.
    similarity.add({{3, 4}, {6, 8}, {0.3F, 0.4F}});
    REQUIRE(similarity.tokens() == 3);
    const auto means = similarity.means();
    REQUIRE(means.size() == 3);
    for (size_t i = 0; i < 3; ++i) {
        REQUIRE(means[i].size() == 3);
        CHECK(means[i][i] == Approx(1));
        for (size_t j = 0; j < 3; ++j) CHECK(means[i][j] == means[j][i]);
    }
    CHECK(means[0][1] == Approx((0 + 0.5 + 1) / 3));
    CHECK(means[0][2] == Approx((-1 - 1 + 1) / 3.0));
    CHECK(means[1][2] == Approx((0 - 0.5 + 1) / 3));
    // Zeros have no direction.
    Similarity zeros(2, 2);
    zeros.add({{0, 0}, {1, 1}});
    CHECK(zeros.means()[0][1] == 0);
    CHECK(zeros.means()[1][1] == Approx(1));
}

TEST_CASE("distribution: moments, extremes, zeros and quantiles of few numbers are exact") {
    Distribution values(8, 4);
    const std::vector<float> first{0, -1, 2, 0}, second{4, 3, 0, 8};
    values.add(first);
    values.add(second);
    CHECK(values.count() == 8);
    CHECK(values.mean() == Approx(2));
    CHECK(values.deviation() == Approx(std::sqrt((4 + 9 + 0 + 4 + 4 + 1 + 4 + 36) / 8.0)));
    CHECK(values.least() == -1);
    CHECK(values.most() == 8);
    CHECK(values.zero_share() == Approx(3.0 / 8));
    // Sorted: -1 0 0 0 2 3 4 8; the place of a share is the nearest to it of 0 to 7.
    CHECK(values.quantiles() == std::array<double, 9>{-1, -1, -1, 0, 2, 3, 8, 8, 8});
}

TEST_CASE("distribution: numbers that are not finite are counted, and left out of the rest") {
    Distribution values(8, 4);
    const std::vector<float> first{kNan, -1, 2, kInfinity}, second{4, -kInfinity, 0, kNan};
    values.add(first);
    values.add(second);
    CHECK(values.count() == 8);
    CHECK(values.not_finite() == 4);
    CHECK(values.mean() == Approx(5.0 / 4));
    CHECK(values.deviation() == Approx(std::sqrt(21 / 4.0 - 25 / 16.0)));
    CHECK(values.least() == -1);
    CHECK(values.most() == 4);
    CHECK(values.zero_share() == Approx(0.25));
    CHECK(values.quantiles() == std::array<double, 9>{-1, -1, -1, 0, 2, 2, 4, 4, 4});

    Distribution none(1, 1);
    none.add(std::vector<float>{kNan});
    CHECK(none.not_finite() == 1);
    for (const double value : {none.mean(), none.deviation(), none.least(), none.most(),
                               none.zero_share(), none.quantiles()[4]})
        CHECK(std::isnan(value));
}

TEST_CASE("distribution: of many numbers the quantiles come from all columns") {
    constexpr int64_t kWidth = 8, kRows = 400'000;  // more than are kept
    Distribution values(kWidth * kRows, kWidth);
    std::vector<float> row(kWidth);
    for (int64_t n = 0; n < kRows; ++n) {
        for (int64_t j = 0; j < kWidth; ++j) row[static_cast<size_t>(j)] = static_cast<float>(j);
        values.add(row);
    }
    CHECK(values.count() == kWidth * kRows);
    CHECK(values.mean() == Approx(3.5));
    const auto quantiles = values.quantiles();
    CHECK(quantiles.front() == 0);
    CHECK(quantiles.back() == 7);
    CHECK(quantiles[3] == Approx(2).margin(1));  // a quarter
    CHECK(quantiles[5] == Approx(6).margin(1));
}
