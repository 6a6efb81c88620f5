#include <sstream>

#include "report/chart.hpp"
#include "support/catch.hpp"

using namespace polytrain;

namespace {

// The coordinates of the n-th polyline.
std::vector<std::pair<double, double>> polyline(const std::string& svg, int n) {
    size_t at = 0;
    for (int i = 0; i <= n; ++i) at = svg.find("<polyline points=\"", at + 1);
    REQUIRE(at != std::string::npos);
    at += 18;
    std::istringstream in(svg.substr(at, svg.find('"', at) - at));
    std::vector<std::pair<double, double>> points;
    double x = 0, y = 0;
    char comma = 0;
    while (in >> x >> comma >> y) points.emplace_back(x, y);
    return points;
}

}  // namespace

TEST_CASE("ticks are 1, 2 or 5 times a power of ten, inside the range") {
    CHECK(nice_ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
    CHECK(nice_ticks(1.3, 4.1, 6) == std::vector<double>{1.5, 2, 2.5, 3, 3.5, 4});
    CHECK(nice_ticks(0, 1234567, 6).size() == 3);
    CHECK(nice_ticks(-0.4, 1, 2) == std::vector<double>{0, 1});
    CHECK(nice_ticks(2.0001, 2.0002, 6).size() >= 3);
}

TEST_CASE("numbers for people") {
    CHECK(short_number(0) == "0");
    CHECK(short_number(999) == "999");
    CHECK(short_number(1500000) == "1.5M");
    CHECK(short_number(2e9) == "2G");
    CHECK(short_number(5e15) == "5000T");
}

TEST_CASE("a chart puts points where they belong, and no more of them than columns") {
    Curve line{"line", "red", {}};
    for (int i = 0; i <= 100000; ++i)
        line.points.push_back({static_cast<double>(i), 100000.0 - i + (i % 2 == 0 ? 50 : -50)});
    const std::string svg =
        svg_chart({line, {"one", "blue", {{50000, 50000}}}, {"none", "g", {}}}, "tokens", "loss");
    const auto points = polyline(svg, 0);
    CHECK(points.size() < 480);
    CHECK(points.size() > 400);
    for (size_t i = 0; i < points.size(); ++i) {
        CHECK(points[i].first >= 50);
        CHECK(points[i].first <= 470);
        CHECK(points[i].second >= 10);
        CHECK(points[i].second <= 272);
        if (i > 0) {
            CHECK(points[i].first > points[i - 1].first);
            CHECK(points[i].second > points[i - 1].second - 0.2);  // loss falls: down the page
        }
    }
    const auto one = polyline(svg, 1);
    REQUIRE(one.size() == 1);
    CHECK(one[0].first == Approx(50 + 420 / 2.0));
    CHECK(one[0].second == Approx(141).margin(2));
    CHECK(svg.find("<circle") != std::string::npos);
    CHECK(polyline(svg, 2).empty());
}

TEST_CASE("charts of nothing, of one point and of a constant are still charts") {
    CHECK(svg_chart({}, "x", "y").find("</svg>") != std::string::npos);
    for (const auto& points : {std::vector<Curve::Point>{{0, 0}}, {{5, 3}, {9, 3}}}) {
        const std::string svg = svg_chart({{"c", "red", points}}, "x", "y");
        CHECK(svg.find("nan") == std::string::npos);
        CHECK(svg.find("inf") == std::string::npos);
    }
}

TEST_CASE("text is escaped") {
    CHECK(escape_html("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    CHECK(svg_chart({}, "<x>", "y").find("<x>") == std::string::npos);
}
