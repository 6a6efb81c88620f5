#include "report/paper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "core/error.hpp"
#include "core/file.hpp"
#include "report/curves.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kHeader = "series,tokens_billion,value";
constexpr size_t kMostBytes = size_t{16} << 20;

double number_of(std::string_view text, const std::string& where) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
        fail(ExitCode::kCorrupt, "{}: \"{}\" is no number", where, text);
    return number;
}

void add_row(std::string_view line, const std::string& where, std::vector<Curve>& curves) {
    const size_t last = line.rfind(',');
    const size_t middle = last == std::string_view::npos ? last : line.substr(0, last).rfind(',');
    if (middle == std::string_view::npos) fail(ExitCode::kCorrupt, "{}: wants {}", where, kHeader);
    const std::string name(line.substr(0, middle));
    const Point point{1e9 * number_of(line.substr(middle + 1, last - middle - 1), where),
                      number_of(line.substr(last + 1), where)};
    if (curves.empty() || curves.back().name != name) {
        for (const Curve& curve : curves)
            if (curve.name == name)
                fail(ExitCode::kCorrupt, "{}: the rows of \"{}\" are not one after another", where,
                     name);
        curves.push_back({name, run_style(curves.size()), {}, {}});
    }
    auto& points = curves.back().points;
    if (!points.empty() && points.back().x > point.x)
        fail(ExitCode::kCorrupt, "{}: tokens go down", where);
    points.push_back(point);
}

}  // namespace

PaperFigure read_paper_figure(const std::filesystem::path& path) {
    PaperFigure figure{path.stem().string(), {}};
    std::replace(figure.title.begin(), figure.title.end(), '_', ' ');
    const std::string text = read_file(path, kMostBytes);
    std::string_view rest = text;
    for (int64_t number = 1; !rest.empty(); ++number) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        std::string_view line = rest.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::string where = fmt::format("{}:{}", path.string(), number);
        if (number > 1)
            add_row(line, where, figure.curves);
        else if (line != kHeader)
            fail(ExitCode::kCorrupt, "{}: wants the header {}", where, kHeader);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (figure.curves.empty()) fail(ExitCode::kCorrupt, "{}: holds no curve", path.string());
    return figure;
}

std::string paper_section(const std::vector<PaperFigure>& figures) {
    if (figures.empty()) return "";
    std::string html = "<section>\n<h2>The paper's curves</h2>\n<div class=\"charts\">\n";
    for (size_t i = 0; i < figures.size(); ++i) {
        Chart chart{figures[i].title,
                    described(figures[i].curves, figures[i].title + " over training tokens"),
                    "training tokens",
                    figures[i].curves,
                    false,
                    0};
        html +=
            fmt::format("<figure><figcaption>{}</figcaption>\n", escape_html(figures[i].title)) +
            legend(figures[i].curves, true) + svg_chart(chart, fmt::format("paper{}", i)) +
            "</figure>\n";
    }
    return html + "</div>\n</section>\n";
}

}  // namespace polytrain
