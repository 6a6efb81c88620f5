#include "report/curves.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/chart.hpp"

namespace polytrain {
namespace {

// Where a loss falls from its first value to what matters, as a part of the tokens.
constexpr double kSteepPart = 0.05, kSteepTrainingPart = 0.1;

std::vector<Point> training_points(const RunMetrics& run) {
    std::vector<Point> points;
    for (const MetricsRecord& record : run.records)
        if (record.loss) points.push_back({static_cast<double>(record.tokens), *record.loss});
    return points;
}

// On each side of a step.
size_t smoothing_of(const std::vector<Point>& points) {
    return points.size() / 50;
}

std::string final_value(const Curve& curve) {
    return curve.points.empty() ? "-" : fmt::format("{:.4f}", curve.points.back().y);
}

std::string loss_section(const std::string& title, const std::string& id, std::vector<Curve> curves,
                         double steep_part, const std::string& note) {
    Chart chart{title + " over tokens",
                described(curves, title + " in nats per token over training tokens"),
                "training tokens",
                std::move(curves),
                false,
                steep_part};
    return fmt::format("<section>\n<h2>{}</h2>\n", title) + legend(chart.curves, true) +
           svg_chart(chart, id) +
           fmt::format(
               "<p class=\"note\">Nats per token. {} The first steps may lie above the "
               "picture.</p>\n</section>\n",
               note);
}

// a_k of every layer, for the runs that have it.
std::vector<Curve> coefficient_curves(const std::vector<RunMetrics>& runs, size_t k) {
    std::vector<Curve> curves;
    for (size_t i = 0; i < runs.size(); ++i) {
        Curve curve{runs[i].name, run_style(i), {}, {}};
        for (const auto& [layer, values] : runs[i].coefficients)
            if (k < values.size()) curve.points.push_back({static_cast<double>(layer), values[k]});
        if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    return curves;
}

std::string coefficient_table(const RunMetrics& run, size_t count) {
    std::string html = fmt::format(
        "<details><summary>{}: the numbers</summary>\n<div class=\"scroll\"><table>\n"
        "<tr><th>Layer</th>",
        escape_html(run.name));
    for (size_t k = 0; k < count; ++k) html += fmt::format("<th>a<sub>{}</sub></th>", k);
    html += "</tr>\n";
    for (const auto& [layer, values] : run.coefficients) {
        html += fmt::format("<tr><td>{}</td>", layer);
        for (const double value : values) html += fmt::format("<td>{:.5f}</td>", value);
        html += "</tr>\n";
    }
    return html + "</table></div>\n</details>\n";
}

}  // namespace

std::string run_style(size_t run) {
    const size_t cycle = run / kRunColors;
    return fmt::format("c{}{}", run % kRunColors,
                       cycle > 0 ? fmt::format(" dash{}", (cycle - 1) % 2) : "");
}

std::string legend(const std::vector<Curve>& curves, bool values) {
    std::string html = "<ul class=\"legend\">\n";
    for (const Curve& curve : curves)
        html +=
            fmt::format("<li><i class=\"{}\"></i>{}{}</li>\n", curve.style, escape_html(curve.name),
                        values ? fmt::format(" <b>{}</b>", final_value(curve)) : "");
    return html + "</ul>\n";
}

std::string described(const std::vector<Curve>& curves, const std::string& what) {
    std::string text = what + ". Last values:";
    for (const Curve& curve : curves)
        text += fmt::format(" {} {};", curve.name, final_value(curve));
    text.back() = '.';
    return text;
}

std::optional<double> final_loss(const RunMetrics& run) {
    const std::vector<Point> points = training_points(run);
    if (points.empty()) return std::nullopt;
    return smoothed(points, smoothing_of(points)).back().y;
}

std::string validation_section(const std::vector<RunMetrics>& runs) {
    std::vector<Curve> curves;
    for (size_t i = 0; i < runs.size(); ++i) {
        Curve curve{runs[i].name, run_style(i), {}, {}};
        for (const MetricsRecord& record : runs[i].records)
            if (record.val_loss)
                curve.points.push_back({static_cast<double>(record.tokens), *record.val_loss});
        if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    if (curves.empty()) return "";
    return loss_section("Validation loss", "val", std::move(curves), kSteepPart,
                        "The mean of the validation sets where there are several.");
}

std::string training_section(const std::vector<RunMetrics>& runs) {
    std::vector<Curve> curves;
    for (size_t i = 0; i < runs.size(); ++i) {
        std::vector<Point> points = training_points(runs[i]);
        const size_t half_width = smoothing_of(points);
        Curve curve{runs[i].name, run_style(i), smoothed(points, half_width), {}};
        if (half_width > 0) curve.faint = std::move(points);
        curves.push_back(std::move(curve));
    }
    return loss_section("Training loss", "train", std::move(curves), kSteepTrainingPart,
                        "A mean over about a 25th of the steps around each; faint, the steps "
                        "themselves.");
}

std::string coefficient_section(const std::vector<RunMetrics>& runs) {
    size_t count = 0;
    std::string tables;
    for (const RunMetrics& run : runs) {
        size_t own = 0;
        for (const auto& [layer, values] : run.coefficients) own = std::max(own, values.size());
        if (own > 0) tables += coefficient_table(run, own);
        count = std::max(count, own);
    }
    if (count == 0) return "";
    std::string html = "<section>\n<h2>Learned coefficients of the activations</h2>\n" +
                       legend(coefficient_curves(runs, 0), false) + "<div class=\"charts\">\n";
    for (size_t k = 0; k < count; ++k) {
        const std::string title = fmt::format("a{} by layer", k);
        std::vector<Curve> curves = coefficient_curves(runs, k);
        Chart chart{title, title + " of each run", "layer", std::move(curves), true, 0};
        html += fmt::format("<figure><figcaption>a<sub>{}</sub></figcaption>\n", k) +
                svg_chart(chart, fmt::format("a{}", k)) + "</figure>\n";
    }
    return html + "</div>\n" + tables + "</section>\n";
}

}  // namespace polytrain
