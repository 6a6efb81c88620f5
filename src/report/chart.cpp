#include "report/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace polytrain {
namespace {

// In units of the view box: about pixels on a phone, more than a pixel on a wide screen.
constexpr double kWidth = 480, kHeight = 320;
constexpr double kLeft = 50, kRight = 470, kTop = 10, kBottom = 272;

struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();
    void include(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

// The mean point of each column, a unit wide, that has points.
std::vector<Curve::Point> averaged(const std::vector<Curve::Point>& points, double x_max) {
    std::vector<Curve::Point> means;
    for (size_t i = 0; i < points.size();) {
        const auto column = [&](size_t at) {
            return std::floor(points[at].x / x_max * (kRight - kLeft));
        };
        const size_t begin = i;
        Curve::Point sum{0, 0};
        for (; i < points.size() && column(i) == column(begin); ++i) {
            sum.x += points[i].x;
            sum.y += points[i].y;
        }
        const auto count = static_cast<double>(i - begin);
        means.push_back({sum.x / count, sum.y / count});
    }
    return means;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                       anchor, escape_html(text));
}

std::string line(double x1, double y1, double x2, double y2) {
    return fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>\n", x1, y1,
        x2, y2);
}

}  // namespace

std::string escape_html(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

std::string short_number(double value) {
    constexpr const char* kSuffixes[] = {"", "k", "M", "G", "T"};
    size_t i = 0;
    for (; std::abs(value) >= 1000 && i + 1 < std::size(kSuffixes); ++i) value /= 1000;
    return fmt::format("{:.4g}{}", value, kSuffixes[i]);
}

std::vector<double> nice_ticks(double low, double high, int count) {
    const double rough = (high - low) / count;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double lead = rough / power;
    const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
    std::vector<double> ticks;
    // Counted, not added up: k * step does not drift. (And -0 + 0 is 0.)
    for (double k = std::ceil(low / step); k * step <= high; ++k) ticks.push_back(k * step + 0.0);
    return ticks;
}

std::string svg_chart(const std::vector<Curve>& curves, const std::string& x_label,
                      const std::string& y_label) {
    double x_max = 1;
    for (const Curve& curve : curves)
        if (!curve.points.empty()) x_max = std::max(x_max, curve.points.back().x);
    Range y;
    std::vector<std::vector<Curve::Point>> drawn;
    for (const Curve& curve : curves) {
        drawn.push_back(averaged(curve.points, x_max));
        for (const Curve::Point& point : drawn.back()) y.include(point.y);
    }
    if (y.low > y.high) y = {0, 1};
    const double margin = std::max((y.high - y.low) * 0.04, 1e-3 + std::abs(y.high) * 1e-6);
    y = {y.low - margin, y.high + margin};
    const auto at_x = [&](double x) { return kLeft + x / x_max * (kRight - kLeft); };
    const auto at_y = [&](double v) {
        return kBottom - (v - y.low) / (y.high - y.low) * (kBottom - kTop);
    };

    std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                                  kWidth, kHeight, escape_html(y_label + " over " + x_label));
    for (const double tick : nice_ticks(y.low, y.high, 6)) {
        svg += line(kLeft, at_y(tick), kRight, at_y(tick));
        svg += text_at(kLeft - 8, at_y(tick) + 4, "end", fmt::format("{:.6g}", tick));
    }
    for (const double tick : nice_ticks(0, x_max, 6)) {
        svg += line(at_x(tick), kTop, at_x(tick), kBottom);
        svg += text_at(at_x(tick), kBottom + 17, "middle", short_number(tick));
    }
    svg += text_at((kLeft + kRight) / 2, kHeight - 8, "middle", x_label);
    for (size_t i = 0; i < curves.size(); ++i) {
        std::string points;
        for (const Curve::Point& point : drawn[i])
            points += fmt::format("{:.1f},{:.1f} ", at_x(point.x), at_y(point.y));
        svg += fmt::format("<polyline points=\"{}\" stroke=\"{}\"/>\n", points, curves[i].color);
        if (drawn[i].size() == 1)  // a line of one point shows nothing
            svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"/>\n",
                               at_x(drawn[i][0].x), at_y(drawn[i][0].y), curves[i].color);
    }
    return svg + "</svg>\n";
}

}  // namespace polytrain
