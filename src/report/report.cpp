#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>

#include "core/file.hpp"
#include "report/chart.hpp"

namespace polytrain {
namespace {

// Told apart by most colour-blind readers (Okabe and Ito), then again from the start.
constexpr const char* kColors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                   "#e69f00", "#56b4e9", "#555555"};

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PolyTrain report</title>
<style>
body { font: 16px/1.4 sans-serif; max-width: 60em; margin: 0 auto; padding: 0 1em; color: #222; }
svg { width: 100%; max-width: 720px; height: auto; display: block; }
svg text { font-size: 14px; fill: #444; }
@media (min-width: 640px) { svg text { font-size: 10px; } }
svg .grid { stroke: #ddd; }
svg polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.legend span { display: inline-block; margin-right: 1.5em; }
.legend i { display: inline-block; width: 1.2em; height: 0.25em; margin-right: 0.4em;
            vertical-align: middle; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.3em 0.8em; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
</style>
</head>
<body>
<h1>PolyTrain report</h1>
)";

const char* color_of(size_t run) {
    return kColors[run % std::size(kColors)];
}

std::string cell(const std::string& text) {
    return "<td>" + escape_html(text) + "</td>";
}

std::string number_cell(const std::optional<double>& value, const char* format) {
    return cell(value ? fmt::format(fmt::runtime(format), *value) : "-");
}

std::optional<double> median(std::vector<double> values) {
    if (values.empty()) return std::nullopt;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::string legend(const std::vector<RunMetrics>& runs) {
    std::string html = "<p class=\"legend\">";
    for (size_t i = 0; i < runs.size(); ++i)
        html += fmt::format("<span><i style=\"background:{}\"></i>{}</span>\n", color_of(i),
                            escape_html(runs[i].name));
    return html + "</p>\n";
}

// The chart of one number of each record that has it.
template <class Value>
std::string chart(const std::vector<RunMetrics>& runs, const std::string& title, Value&& value) {
    std::vector<Curve> curves;
    for (size_t i = 0; i < runs.size(); ++i) {
        Curve curve{runs[i].name, color_of(i), {}};
        for (const MetricsRecord& record : runs[i].records)
            if (const std::optional<double> y = value(record))
                curve.points.push_back({static_cast<double>(record.tokens), *y});
        curves.push_back(std::move(curve));
    }
    return fmt::format("<h2>{}</h2>\n", title) + svg_chart(curves, "tokens", title) + legend(runs);
}

std::string final_row(const RunMetrics& run) {
    std::optional<double> best, last;
    std::vector<double> speeds;
    for (const MetricsRecord& record : run.records) {
        if (record.val_loss) {
            last = record.val_loss;
            best = std::min(best.value_or(*last), *last);
        }
        if (record.tokens_per_s) speeds.push_back(*record.tokens_per_s);
    }
    const MetricsRecord& end = run.records.back();
    return "<tr>" + cell(run.name) + cell(fmt::format("{}", end.step)) +
           cell(fmt::format("{}", end.tokens)) + number_cell(end.loss, "{:.4f}") +
           number_cell(best, "{:.4f}") + number_cell(last, "{:.4f}") +
           number_cell(median(std::move(speeds)), "{:.0f}") + "</tr>\n";
}

std::string final_table(const std::vector<RunMetrics>& runs) {
    std::string html =
        "<h2>Final figures</h2>\n<div class=\"scroll\"><table>\n<tr><th>Run</th><th>Steps</th>"
        "<th>Tokens</th><th>Training loss</th><th>Best validation loss</th>"
        "<th>Last validation loss</th><th>Tokens/s, median</th></tr>\n";
    for (const RunMetrics& run : runs) html += final_row(run);
    return html + "</table></div>\n";
}

// The config keys that do not have the same value in every run: what an ablation changed.
std::string difference_table(const std::vector<RunMetrics>& runs) {
    const auto value = [](const RunMetrics& run, const std::string& key) {
        const auto found = run.config.find(key);
        return found == run.config.end() ? std::string("-") : found->second;
    };
    std::set<std::string> keys;
    for (const RunMetrics& run : runs)
        for (const auto& [key, unused] : run.config) keys.insert(key);
    std::string rows;
    for (const std::string& key : keys) {
        const bool same = std::all_of(runs.begin(), runs.end(), [&](const RunMetrics& run) {
            return value(run, key) == value(runs[0], key);
        });
        if (same) continue;
        rows += "<tr>" + cell(key);
        for (const RunMetrics& run : runs) rows += cell(value(run, key));
        rows += "</tr>\n";
    }
    if (rows.empty()) return "";
    std::string html =
        "<h2>Where the configs differ</h2>\n<div class=\"scroll\"><table>\n<tr><th>Key</th>";
    for (const RunMetrics& run : runs) html += "<th>" + escape_html(run.name) + "</th>";
    return html + "</tr>\n" + rows + "</table></div>\n";
}

}  // namespace

std::string report_html(const std::vector<RunMetrics>& runs) {
    const auto loss = [](const MetricsRecord& r) { return std::optional(r.loss); };
    const auto val_loss = [](const MetricsRecord& r) { return r.val_loss; };
    return std::string(kHead) + final_table(runs) + chart(runs, "Validation loss", val_loss) +
           chart(runs, "Training loss", loss) + difference_table(runs) + "</body>\n</html>\n";
}

void write_report(const std::vector<std::filesystem::path>& run_folders,
                  const std::filesystem::path& out) {
    std::vector<RunMetrics> runs;
    std::set<std::string> names;
    for (const std::filesystem::path& folder : run_folders) {
        runs.push_back(read_run(folder));
        // Folders of one name in different places are told apart by their paths.
        if (!names.insert(runs.back().name).second) runs.back().name = folder.string();
    }
    write_file_atomic(out, report_html(runs));
}

}  // namespace polytrain
