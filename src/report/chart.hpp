#pragma once

#include <string>
#include <vector>

namespace polytrain {

struct Point {
    double x, y;
};

// A line of a chart.
struct Curve {
    std::string name;
    std::string style;          // classes of the page's style sheet, which has its colour
    std::vector<Point> points;  // by ascending x
    std::vector<Point> faint;   // drawn beneath: what `points` were smoothed from, perhaps
};

struct Chart {
    std::string title, description;  // told by screen readers
    std::string x_label;
    std::vector<Curve> curves;
    bool whole_x = false;  // x are whole numbers, each worth a dot
    // The y axis need not hold what lies left of this part of the x axis, where a loss falls from
    // its first value: it would flatten all the rest.
    double steep_part = 0;
};

// Text for HTML and XML: <, >, &, " and ' are escaped, and control characters, which XML has not,
// are left out.
std::string escape_html(const std::string& text);

// "1.5M" for 1500000.
std::string short_number(double value);

// Positions 1, 2 or 5 times a power of ten apart, about `count` of them, inside [low, high].
std::vector<double> nice_ticks(double low, double high, int count);

// Each the mean of itself and up to `half_width` points on each side; where there are fewer before
// it no more after it count, so that a steep beginning stays where it is.
std::vector<Point> smoothed(const std::vector<Point>& points, size_t half_width);

// The curves over a common x axis that begins at 0, as an <svg> element that is as wide as its
// place. Points that fall on the same column of 1/480 of the width are drawn as their mean, faint
// ones as a line from their lowest to their highest. `id` is unique in the page.
std::string svg_chart(const Chart& chart, const std::string& id);

}  // namespace polytrain
