#include "report/analyses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/strict_json.hpp"
#include "report/chart.hpp"
#include "report/curves.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMostDepth = 8;

// What an analysis is of.
std::string source_of(const json& document) {
    std::string source = fmt::format(", step {}", document.at("step").get<int64_t>());
    if (document.contains("data")) source += ", " + document.at("data").get<std::string>();
    return source;
}

// null where a number was not finite: there is nothing to draw.
void add_point(double x, const json& y, const std::string& source, RunAnalyses::Part& part) {
    part.source = source;
    if (!y.is_null()) part.points.push_back({x, y.get<double>()});
}

void read_rank(const json& document, RunAnalyses& found) {
    for (const json& layer : document.at("layers"))
        for (const auto& [kind, rank] : layer.items())
            if (kind != "layer")
                add_point(layer.at("layer").get<double>(), rank, source_of(document),
                          found.by_layer["Effective rank of " + kind]);
}

void read_activations(const json& document, RunAnalyses& found) {
    for (const json& layer : document.at("layers"))
        for (const auto& [side, key, title] :
             {std::tuple{"input", "std", "Standard deviation of what activations get"},
              {"output", "std", "Standard deviation of what activations give"},
              {"output", "zeros", "Share of zeros in what activations give"}})
            add_point(layer.at("layer").get<double>(), layer.at(side).at(key), source_of(document),
                      found.by_layer[title]);
}

// a_k over the steps, the mean over the layers (and experts).
void read_coefficients(const json& document, RunAnalyses& found) {
    for (const json& step : document.at("steps")) {
        std::vector<std::pair<double, int>> sums;
        for (const auto& [name, values] : step.at("coefficients").items())
            for (size_t k = 0; k < values.size(); ++k) {
                if (values.at(k).is_null()) continue;
                sums.resize(std::max(sums.size(), k + 1));
                sums[k].first += values.at(k).get<double>();
                ++sums[k].second;
            }
        for (size_t k = 0; k < sums.size(); ++k)
            if (sums[k].second > 0)
                found.by_step[fmt::format("a{} over training, mean of the layers", k)]
                    .points.push_back(
                        {step.at("step").get<double>(), sums[k].first / sums[k].second});
    }
}

void read_similarity(const json& document, RunAnalyses& found) {
    const json& cosine = document.at("cosine");
    for (size_t i = 0; i < cosine.size(); ++i) {
        std::vector<double>& row = found.cosine.emplace_back();
        for (size_t j = 0; j < cosine.size(); ++j) {
            const json& value = cosine.at(i).at(j);
            row.push_back(value.is_null() ? NAN : value.get<double>());
        }
    }
    found.cosine_source = source_of(document);
}

// Charts of the runs' curves under each title that any of them has.
std::string charts(const std::vector<RunMetrics>& runs,
                   std::map<std::string, RunAnalyses::Part> RunAnalyses::*parts,
                   const std::string& x_label, bool whole_x, const std::string& id) {
    std::map<std::string, std::vector<Curve>> by_title;
    for (size_t i = 0; i < runs.size(); ++i)
        for (const auto& [title, part] : runs[i].analyses.*parts)
            by_title[title].push_back({runs[i].name + part.source, run_style(i), part.points, {}});
    std::string html;
    size_t number = 0;
    for (auto& [title, curves] : by_title) {
        const Chart chart{title, title + " of each run", x_label, std::move(curves), whole_x, 0};
        html += fmt::format("<figure><figcaption>{}</figcaption>\n", escape_html(title)) +
                legend(chart.curves, false) + svg_chart(chart, fmt::format("{}{}", id, number++)) +
                "</figure>\n";
    }
    return html;
}

// A square for each pair of states, the stronger the nearer their cosine is to 1.
std::string similarity_picture(const RunMetrics& run, size_t number) {
    const auto& cosine = run.analyses.cosine;
    if (cosine.empty()) return "";
    constexpr double kSide = 320;
    const double cell = kSide / static_cast<double>(cosine.size());
    std::string cells;
    for (size_t i = 0; i < cosine.size(); ++i)
        for (size_t j = 0; j < cosine.size(); ++j) {
            if (std::isnan(cosine[i][j])) continue;
            cells += fmt::format(
                "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" "
                "fill=\"currentColor\" fill-opacity=\"{:.3f}\"><title>{}, {}: {:.4f}</title>"
                "</rect>\n",
                static_cast<double>(j) * cell, static_cast<double>(i) * cell, cell, cell,
                std::clamp(cosine[i][j], 0.0, 1.0), i, j, cosine[i][j]);
        }
    return fmt::format(
        "<figure><figcaption>{0}</figcaption>\n"
        "<svg viewBox=\"0 0 {1} {1}\" role=\"img\" aria-labelledby=\"similarity{2}\">\n"
        "<title id=\"similarity{2}\">Mean cosine of hidden states, {0}</title>\n{3}</svg>\n"
        "</figure>\n",
        escape_html(run.name + run.analyses.cosine_source), kSide, number, cells);
}

}  // namespace

RunAnalyses read_analyses(const fs::path& run_folder) {
    RunAnalyses found;
    constexpr std::pair<const char*, void (*)(const json&, RunAnalyses&)> kKinds[] = {
        {"rank", read_rank},
        {"activations", read_activations},
        {"coefficients", read_coefficients},
        {"similarity", read_similarity}};
    for (const auto& [name, read] : kKinds) {
        const fs::path path = run_folder / "analysis" / (std::string(name) + ".json");
        if (!fs::exists(path)) continue;
        try {
            read(parse_strict_json(read_file(path), path.string(), kMostDepth), found);
        } catch (const json::exception& error) {
            fail(ExitCode::kCorrupt, "{}: {}; write it again by polytrain analyze {}",
                 path.string(), error.what(), name);
        }
    }
    return found;
}

std::string analysis_section(const std::vector<RunMetrics>& runs) {
    std::string pictures;
    for (size_t i = 0; i < runs.size(); ++i) pictures += similarity_picture(runs[i], i);
    std::string curves = charts(runs, &RunAnalyses::by_layer, "layer", true, "by-layer") +
                         charts(runs, &RunAnalyses::by_step, "step", false, "by-step");
    if (curves.empty() && pictures.empty()) return "";
    std::string html = "<section>\n<h2>Analyses</h2>\n";
    if (!curves.empty()) html += "<div class=\"charts\">\n" + curves + "</div>\n";
    if (!pictures.empty())
        html +=
            "<h3>Similarity of hidden states</h3>\n<p class=\"note\">Row and column i: after layer "
            "i, 0 before the first. The stronger, the nearer the mean cosine is to 1; nothing from "
            "0 down.</p>\n<div class=\"charts\">\n" +
            pictures + "</div>\n";
    return html + "</section>\n";
}

}  // namespace polytrain
