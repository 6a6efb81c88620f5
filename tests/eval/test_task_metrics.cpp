#include "eval/task_metrics.hpp"

#include <cmath>

#include "eval/task_text.hpp"
#include "support/catch.hpp"

using namespace polytrain;

namespace {

double value_of(const std::vector<MetricMean>& means, Metric metric) {
    for (const MetricMean& mean : means)
        if (mean.metric == metric) return mean.mean;
    return -1;
}

}  // namespace

TEST_CASE("task metrics: each by hand, on a question that they answer in four ways") {
    // Characters and bytes part at the second and third choices.
    const std::vector<ScoredChoice> choices{
        {2, 2, -4, -1}, {6, 6, -6, -3}, {4, 40, -20, -10}, {5, 5, -9, -1.5}};
    CHECK(choice_by(Metric::kAcc, choices) == 0);
    CHECK(choice_by(Metric::kAccNorm, choices) == 1);   // -2, -1, -5, -1.8
    CHECK(choice_by(Metric::kAccBytes, choices) == 2);  // -2, -1, -0.5, -1.8
    CHECK(choice_by(Metric::kPmiDc, choices) == 3);     // 4, 2, 2, 6: the ratio
    MetricMeans means;
    means.add(choices, 2);
    const auto of_one = means.means();
    CHECK(of_one.size() == 6);
    CHECK(value_of(of_one, Metric::kAcc) == 0);
    CHECK(value_of(of_one, Metric::kAccNorm) == 0);
    CHECK(value_of(of_one, Metric::kAccBytes) == 1);
    CHECK(value_of(of_one, Metric::kPmiDc) == 0);
    CHECK(value_of(of_one, Metric::kBpb) == Approx(20 / 40.0 / std::log(2.0)));
    CHECK(value_of(of_one, Metric::kCeLoss) == Approx(20 / 4.0));
    CHECK_FALSE(of_one[0].standard_error);
}

TEST_CASE("task metrics: the first of equals is chosen") {
    const std::vector<ScoredChoice> choices{{1, 1, -3}, {1, 1, -2}, {1, 1, -2}};
    for (const Metric metric : {Metric::kAcc, Metric::kAccNorm, Metric::kAccBytes})
        CHECK(choice_by(metric, choices) == 1);
}

TEST_CASE("task metrics: the standard error is that of a mean; pmi_dc wants all bare contexts") {
    MetricMeans means;
    for (const int64_t gold : {0, 0, 0, 1, 1}) {
        const std::vector<ScoredChoice> choices{{1, 1, -1, -1}, {1, 1, -2, -3}};
        means.add(choices, gold);
    }
    CHECK(means.means()[0].mean == Approx(0.6));
    // Of 3 ones and 2 zeros: variance 5/4 * 0.6 * 0.4, over 5.
    CHECK(means.means()[0].standard_error.value() == Approx(std::sqrt(1.25 * 0.6 * 0.4 / 5)));
    CHECK(value_of(means.means(), Metric::kPmiDc) == Approx(0.6));
    means.add(std::vector<ScoredChoice>{{1, 1, -1}}, 0);
    CHECK(value_of(means.means(), Metric::kPmiDc) == -1);
    CHECK(value_of(means.means(), Metric::kAcc) == Approx(4 / 6.0));
}

TEST_CASE("task metrics: lengths are without the one blank, in code points and in bytes") {
    CHECK(normalising_characters(" \xc3\xa9t\xe2\x82\xac") == 3);
    CHECK(normalising_bytes(" \xc3\xa9t\xe2\x82\xac") == 6);
    CHECK(normalising_characters("  ab") == 3);
    CHECK(normalising_bytes("ab") == 2);
}

TEST_CASE("task text: as Python strips, capitalizes and replaces") {
    CHECK(strip("\xe3\x80\x80 \t\x1c"
                "a b\xc2\xa0\n\x85") == "a b\xc2\xa0\n\x85");  // no UTF-8
    CHECK(strip("\xe3\x80\x80 \t\x1c"
                "a b\xc2\xa0\n\xc2\x85") == "a b");
    CHECK(strip_left(" a ") == "a ");
    CHECK(strip_right(" a ") == " a");
    CHECK(strip(" \n ").empty());
    CHECK(strip("\xe2\x80\x8b"
                "a") ==
          "\xe2\x80\x8b"
          "a");  // a zero-width space is none
    CHECK(capitalized("hELLO World") == "Hello world");
    CHECK(capitalized("\xc7\x86"
                      "A") ==
          "\xc7\x85"
          "a");  // title case is not upper case
    CHECK(capitalized("").empty());
    CHECK(with_lower_first("ABC") == "aBC");
    CHECK(replaced("a   b", "  ", " ") == "a  b");
    CHECK(replaced("aaa", "aa", "b") == "ba");
}
