#pragma once

#include <string>
#include <vector>

namespace polytrain {

// A line of a chart.
struct Curve {
    std::string name;
    std::string color;  // as CSS writes it
    struct Point {
        double x, y;
    };
    std::vector<Point> points;  // by ascending x
};

// Text for HTML and XML: <, >, &, " and ' are escaped.
std::string escape_html(const std::string& text);

// "1.5M" for 1500000.
std::string short_number(double value);

// Positions 1, 2 or 5 times a power of ten apart, about `count` of them, inside [low, high].
std::vector<double> nice_ticks(double low, double high, int count);

// Curves over a common x axis that begins at 0, as an <svg> element that is as wide as its place.
// Points that fall on the same column of 1/480 of the width are drawn as their mean.
std::string svg_chart(const std::vector<Curve>& curves, const std::string& x_label,
                      const std::string& y_label);

}  // namespace polytrain
