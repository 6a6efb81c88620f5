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
    bool empty() const { return low > high; }
};

// The points that share a column, a unit wide.
struct Column {
    Point mean;
    Range y;
};

std::vector<Column> columns_of(const std::vector<Point>& points, double x_max) {
    std::vector<Column> columns;
    for (size_t i = 0; i < points.size();) {
        const auto place = [&](size_t at) {
            return std::floor(points[at].x / x_max * (kRight - kLeft));
        };
        const size_t begin = i;
        Column column{{0, 0}, {}};
        for (; i < points.size() && place(i) == place(begin); ++i) {
            column.mean.x += points[i].x;
            column.mean.y += points[i].y;
            column.y.include(points[i].y);
        }
        const auto count = static_cast<double>(i - begin);
        column.mean.x /= count;
        column.mean.y /= count;
        columns.push_back(column);
    }
    return columns;
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

class Drawing {
  public:
    Drawing(const Chart& chart, const std::string& id) : chart_(chart), id_(id) {
        for (const Curve& curve : chart.curves)
            if (!curve.points.empty()) x_max_ = std::max(x_max_, curve.points.back().x);
        for (const Curve& curve : chart.curves)
            columns_.push_back(columns_of(curve.points, x_max_));
        fit_y();
    }

    std::string svg() const {
        std::string svg = fmt::format(
            "<svg viewBox=\"0 0 {0} {1}\" role=\"img\" aria-labelledby=\"{2}-t {2}-d\">\n"
            "<title id=\"{2}-t\">{3}</title>\n<desc id=\"{2}-d\">{4}</desc>\n"
            "<clipPath id=\"{2}-c\"><rect x=\"{5}\" y=\"{6}\" width=\"{7}\" height=\"{8}\"/>"
            "</clipPath>\n",
            kWidth, kHeight, id_, escape_html(chart_.title), escape_html(chart_.description), kLeft,
            kTop, kRight - kLeft + 4, kBottom - kTop);
        svg += axes() + fmt::format("<g clip-path=\"url(#{}-c)\">\n", id_);
        for (const Curve& curve : chart_.curves) svg += faint(curve);
        for (size_t i = 0; i < columns_.size(); ++i) svg += curve(i);
        return svg + "</g>\n</svg>\n";
    }

  private:
    void fit_y() {
        const double steep = chart_.steep_part * x_max_;
        for (const auto& columns : columns_)
            for (const Column& column : columns)
                if (column.mean.x >= steep) y_.include(column.mean.y);
        // A run that ended that early is shown whole.
        for (const auto& columns : columns_)
            if (!columns.empty() && columns.back().mean.x < steep)
                for (const Column& column : columns) y_.include(column.mean.y);
        if (y_.empty()) y_ = {0, 1};
        const double margin = std::max((y_.high - y_.low) * 0.04, 5e-3 + std::abs(y_.high) * 1e-6);
        y_ = {y_.low - margin, y_.high + margin};
    }

    double at_x(double x) const { return kLeft + x / x_max_ * (kRight - kLeft); }
    // What is far off the chart is drawn just off it.
    double at_y(double y) const {
        const double place = kBottom - (y - y_.low) / (y_.high - y_.low) * (kBottom - kTop);
        return std::clamp(place, kTop - kHeight, kBottom + kHeight);
    }

    std::string axes() const {
        std::string svg;
        for (const double tick : nice_ticks(y_.low, y_.high, 6)) {
            svg += line(kLeft, at_y(tick), kRight, at_y(tick));
            svg += text_at(kLeft - 8, at_y(tick) + 4, "end", fmt::format("{:.6g}", tick));
        }
        for (const double tick : nice_ticks(0, x_max_, 6)) {
            if (chart_.whole_x && tick != std::floor(tick)) continue;
            svg += line(at_x(tick), kTop, at_x(tick), kBottom);
            svg += text_at(at_x(tick), kBottom + 17, "middle", short_number(tick));
        }
        return svg + text_at((kLeft + kRight) / 2, kHeight - 8, "middle", chart_.x_label);
    }

    std::string faint(const Curve& curve) const {
        if (curve.faint.empty()) return "";
        std::string points;
        for (const Column& column : columns_of(curve.faint, x_max_)) {
            const double x = at_x(column.mean.x);
            points += fmt::format("{:.1f},{:.1f} ", x, at_y(column.y.low));
            if (column.y.high > column.y.low)
                points += fmt::format("{:.1f},{:.1f} ", x, at_y(column.y.high));
        }
        return fmt::format("<polyline points=\"{}\" class=\"faint {}\"/>\n", points, curve.style);
    }

    std::string curve(size_t i) const {
        const Curve& curve = chart_.curves[i];
        std::string points, dots;
        for (const Column& column : columns_[i]) {
            const double x = at_x(column.mean.x), y = at_y(column.mean.y);
            points += fmt::format("{:.1f},{:.1f} ", x, y);
            // A line of one point shows nothing.
            if (chart_.whole_x || columns_[i].size() == 1)
                dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"/>\n", x, y);
        }
        return fmt::format("<g class=\"{}\"><title>{}</title><polyline points=\"{}\"/>\n{}</g>\n",
                           curve.style, escape_html(curve.name), points, dots);
    }

    const Chart& chart_;
    const std::string& id_;
    std::vector<std::vector<Column>> columns_;
    double x_max_ = 1;
    Range y_;
};

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
                if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') escaped += c;
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

std::vector<Point> smoothed(const std::vector<Point>& points, size_t half_width) {
    std::vector<double> sums{0};
    for (const Point& point : points) sums.push_back(sums.back() + point.y);
    std::vector<Point> means;
    for (size_t i = 0; i < points.size(); ++i) {
        const size_t before = std::min(half_width, i);
        const size_t after = std::min(before, points.size() - 1 - i);
        const double sum = sums[i + after + 1] - sums[i - before];
        means.push_back({points[i].x, sum / static_cast<double>(before + after + 1)});
    }
    return means;
}

std::string svg_chart(const Chart& chart, const std::string& id) {
    return Drawing(chart, id).svg();
}

}  // namespace polytrain
