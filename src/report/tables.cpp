#include "report/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>

#include "report/chart.hpp"
#include "report/curves.hpp"

namespace polytrain {
namespace {

std::string cell(const std::string& text) {
    return "<td>" + escape_html(text) + "</td>";
}

std::string number_cell(const std::optional<double>& value, const char* format) {
    return cell(value ? fmt::format(fmt::runtime(format), *value) : "-");
}

// "1 234 567": digits in groups of three, apart by thin spaces.
std::string count_cell(const std::optional<int64_t>& value) {
    if (!value) return cell("-");
    std::string digits = fmt::format("{}", *value);
    for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, "&#8239;");
    return "<td>" + digits + "</td>";
}

std::optional<double> median(std::vector<double> values) {
    if (values.empty()) return std::nullopt;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::string header(const std::string& first, const std::vector<RunMetrics>& runs) {
    std::string row = "<tr><th>" + first + "</th>";
    for (const RunMetrics& run : runs) row += "<th>" + escape_html(run.name) + "</th>";
    return row + "</tr>\n";
}

std::string final_row(const RunMetrics& run, size_t index) {
    std::optional<double> best, last;
    std::vector<double> speeds, shares;
    for (const MetricsRecord& record : run.records) {
        if (record.val_loss) {
            last = record.val_loss;
            best = std::min(best.value_or(*last), *last);
        }
        if (record.tokens_per_s) speeds.push_back(*record.tokens_per_s);
        if (record.mfu) shares.push_back(100 * *record.mfu);
    }
    const MetricsRecord& end = run.records.back();
    return fmt::format("<tr><td><i class=\"{}\"></i>{}</td>", run_style(index),
                       escape_html(run.name)) +
           count_cell(run.parameters) + count_cell(end.step) + count_cell(end.tokens) +
           number_cell(final_loss(run), "{:.4f}") + number_cell(best, "{:.4f}") +
           number_cell(last, "{:.4f}") + number_cell(median(std::move(speeds)), "{:.0f}") +
           number_cell(median(std::move(shares)), "{:.0f}%") + "</tr>\n";
}

}  // namespace

std::string table(const std::string& title, const std::string& rows) {
    return fmt::format(
        "<section>\n<h2>{}</h2>\n<div class=\"scroll\"><table>\n{}</table></div>\n</section>\n",
        title, rows);
}

std::string final_section(const std::vector<RunMetrics>& runs) {
    std::string rows =
        "<tr><th>Run</th><th>Parameters</th><th>Steps</th><th>Tokens</th><th>Training loss</th>"
        "<th>Best validation loss</th><th>Last validation loss</th><th>Tokens/s, median</th>"
        "<th>MFU, median</th></tr>\n";
    for (size_t i = 0; i < runs.size(); ++i) rows += final_row(runs[i], i);
    return table("Final figures", rows) +
           "<p class=\"note\">Parameters without the activations' coefficients. MFU: the model's "
           "arithmetic as a share of what matrix products alone reach on the machine.</p>\n";
}

std::string validation_sets_section(const std::vector<RunMetrics>& runs) {
    std::set<std::string> names;
    for (const RunMetrics& run : runs)
        for (const auto& [name, unused] : run.val_losses) names.insert(name);
    if (names.empty()) return "";
    std::string rows = header("Set", runs);
    for (const std::string& name : names) {
        rows += "<tr>" + cell(name);
        for (const RunMetrics& run : runs) {
            const auto found = run.val_losses.find(name);
            rows += number_cell(
                found == run.val_losses.end() ? std::nullopt : std::optional(found->second),
                "{:.4f}");
        }
        rows += "</tr>\n";
    }
    return table("Last loss of each validation set", rows);
}

std::string difference_section(const std::vector<RunMetrics>& runs) {
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
    return rows.empty() ? "" : table("Where the configs differ", header("Key", runs) + rows);
}

}  // namespace polytrain
