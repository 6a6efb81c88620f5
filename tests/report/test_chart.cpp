#include <algorithm>
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
    Curve line{"line", "c0", {}, {}};
    for (int i = 0; i <= 100000; ++i)
        line.points.push_back({static_cast<double>(i), 100000.0 - i + (i % 2 == 0 ? 50 : -50)});
    Chart chart;
    chart.curves = {line, {"one", "c1", {{50000, 50000}}, {}}, {"none", "c2", {}, {}}};
    const std::string svg = svg_chart(chart, "id");
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

TEST_CASE("a steep beginning doesn't flatten the rest, unless it is all of a run") {
    Curve curve{"falls", "c0", {}, {}};
    for (int i = 0; i <= 100; ++i)
        curve.points.push_back({static_cast<double>(i), i < 10 ? 100.0 - i : 2 - 0.01 * i});
    Chart chart;
    chart.curves = {curve};
    // The last point is at the bottom; how far up is one from the middle?
    const auto middle = [&] { return polyline(svg_chart(chart, "id"), 0)[50].second; };
    CHECK(middle() > 260);
    chart.steep_part = 0.1;
    CHECK(middle() < 200);
    const auto points = polyline(svg_chart(chart, "id"), 0);
    CHECK(points[0].second < 0);      // above the picture
    CHECK(points[0].second >= -320);  // but not further than it takes
    chart.curves.push_back({"short", "c1", {{0, 50}, {5, 40}}, {}});
    for (const auto& [x, y] : polyline(svg_chart(chart, "id"), 1)) CHECK(y >= 10);
}

TEST_CASE("smoothing is a mean over a window that shrinks at the beginning") {
    const std::vector<Point> points{{1, 10}, {2, 20}, {3, 60}, {4, 10}, {5, 40}};
    const auto y = [&](size_t half_width) {
        std::vector<double> all;
        for (const Point& point : smoothed(points, half_width)) all.push_back(point.y);
        return all;
    };
    CHECK(y(0) == std::vector<double>{10, 20, 60, 10, 40});
    CHECK(y(1) == std::vector<double>{10, 30, 30, 110 / 3.0, 25});
    CHECK(y(9) == std::vector<double>{10, 30, 28, 28, 28});
    CHECK(smoothed(points, 2)[3].x == 4);
    CHECK(smoothed({}, 3).empty());
}

TEST_CASE("faint points span their column from the lowest to the highest") {
    Curve curve{"c", "c0", {{0, 0}, {100000, 10}}, {}};
    for (int i = 0; i <= 100000; ++i)
        curve.faint.push_back({static_cast<double>(i), i % 2 == 0 ? 2.0 : 8.0});
    Chart chart;
    chart.curves = {curve};
    const auto drawn = polyline(svg_chart(chart, "id"), 0);
    CHECK(drawn.size() <= 2 * 421);
    const auto [lowest, highest] =
        std::minmax_element(drawn.begin(), drawn.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
    CHECK(highest->second - lowest->second == Approx(262 * 0.6 / 1.08).margin(1));
}

TEST_CASE("charts of nothing, of one point and of a constant are still charts") {
    Chart chart;
    CHECK(svg_chart(chart, "id").find("</svg>") != std::string::npos);
    for (const auto& points : {std::vector<Point>{{0, 0}}, {{5, 3}, {9, 3}}}) {
        chart.curves = {{"c", "c0", points, points}};
        const std::string svg = svg_chart(chart, "id");
        CHECK(svg.find("nan") == std::string::npos);
        CHECK(svg.find("inf") == std::string::npos);
    }
}

TEST_CASE("text is escaped") {
    CHECK(escape_html("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    CHECK(escape_html(std::string("a\x01\x1b\tb\n")) == "a\tb\n");
    Chart chart{"<t>", "<d>", "<x>", {{"<n>", "c0", {{1, 1}}, {}}}, false, 0};
    const std::string svg = svg_chart(chart, "id");
    for (const char* raw : {"<t>", "<d>", "<x>", "<n>"}) CHECK(svg.find(raw) == std::string::npos);
    for (const char* kept : {"&lt;t&gt;", "&lt;d&gt;", "&lt;x&gt;", "&lt;n&gt;"})
        CHECK(svg.find(kept) != std::string::npos);
}
