#include "report/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/tables.hpp"

namespace polytrain {
namespace {

// "polynorm-lr=0.1" of "polynorm-seed=3-lr=0.1".
std::string without_seed(std::string name) {
    const size_t begin = name.find("-seed=");
    if (begin != std::string::npos) name.erase(begin, name.find('-', begin + 1) - begin);
    return name;
}

// Tokens at which the curve first is at or below `loss`, which it reaches.
double tokens_to(const std::vector<Point>& curve, double loss) {
    const auto found = std::find_if(curve.begin(), curve.end(),
                                    [loss](const Point& point) { return point.y <= loss; });
    if (found == curve.begin()) return found->x;
    const Point &low = *found, &high = *(found - 1);
    return high.x + (low.x - high.x) * (high.y - loss) / (high.y - low.y);
}

struct Spread {
    double mean = 0, deviation = 0, lowest = 0, highest = 0;
};
Spread spread_of(const std::vector<double>& values) {
    const auto count = static_cast<double>(values.size());
    Spread spread;
    for (const double value : values) spread.mean += value / count;
    double squares = 0;
    for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
    spread.deviation = values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0;
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    spread.lowest = *lowest;
    spread.highest = *highest;
    return spread;
}

std::vector<double> last_losses(const std::vector<RunMetrics>& runs, const RunGroup& group) {
    std::vector<double> losses;
    for (const size_t run : group.runs) {
        const auto& records = runs[run].records;
        const auto last = std::find_if(records.rbegin(), records.rend(),
                                       [](const auto& record) { return !!record.val_loss; });
        if (last != records.rend()) losses.push_back(*last->val_loss);
    }
    return losses;
}

}  // namespace

std::vector<RunGroup> groups_of(const std::vector<RunMetrics>& runs) {
    std::vector<RunGroup> groups;
    std::map<std::map<std::string, std::string>, size_t> places;
    for (size_t i = 0; i < runs.size(); ++i) {
        auto config = runs[i].config;
        config.erase("seed");
        const auto [place, is_new] = places.emplace(std::move(config), groups.size());
        if (is_new) groups.push_back({without_seed(runs[i].name), {}});
        groups[place->second].runs.push_back(i);
    }
    return groups;
}

std::vector<Point> mean_validation(const std::vector<RunMetrics>& runs, const RunGroup& group) {
    std::map<int64_t, std::pair<size_t, double>> sums;  // tokens -> runs, losses
    for (const size_t run : group.runs)
        for (const MetricsRecord& record : runs[run].records)
            if (record.val_loss) {
                auto& [count, sum] = sums[record.tokens];
                ++count;
                sum += *record.val_loss;
            }
    std::vector<Point> points;
    for (const auto& [tokens, sum] : sums)
        if (sum.first == group.runs.size())
            points.push_back(
                {static_cast<double>(tokens), sum.second / static_cast<double>(sum.first)});
    return points;
}

std::optional<double> tokens_ratio(const std::vector<Point>& curve,
                                   const std::vector<Point>& reference) {
    if (curve.empty() || reference.empty()) return std::nullopt;
    const double loss = std::max(curve.back().y, reference.back().y);
    return tokens_to(curve, loss) / tokens_to(reference, loss);
}

std::string groups_section(const std::vector<RunMetrics>& runs) {
    if (runs.size() < 2) return "";
    std::string rows;
    std::optional<double> first_mean;
    std::vector<Point> first_curve;
    for (const RunGroup& group : groups_of(runs)) {
        const std::vector<double> losses = last_losses(runs, group);
        if (losses.empty()) continue;
        const Spread spread = spread_of(losses);
        const std::vector<Point> curve = mean_validation(runs, group);
        const bool is_first = !first_mean;
        if (is_first) {
            first_mean = spread.mean;
            first_curve = curve;
        }
        const std::optional<double> ratio = tokens_ratio(curve, first_curve);
        rows += fmt::format(
            "<tr><td>{}</td><td>{}</td><td>{:.4f}</td><td>{}</td><td>{:.4f}</td><td>{:.4f}</td>"
            "<td>{}</td><td>{}</td></tr>\n",
            escape_html(group.name), losses.size(), spread.mean,
            losses.size() > 1 ? fmt::format("{:.4f}", spread.deviation) : "-", spread.lowest,
            spread.highest, is_first ? "-" : fmt::format("{:+.4f}", spread.mean - *first_mean),
            is_first || !ratio ? "-" : fmt::format("{:.3f}", *ratio));
    }
    if (rows.empty()) return "";
    return table("Last validation losses over seeds",
                 "<tr><th>Runs</th><th>Seeds</th><th>Mean</th><th>Standard deviation</th>"
                 "<th>Lowest</th><th>Highest</th><th>Minus the first's</th>"
                 "<th>Tokens to equal loss / the first's</th></tr>\n" +
                     rows) +
           "<p class=\"note\">Runs that differ in nothing but their seed are one row. Tokens to "
           "equal loss: to the higher of the two last losses, along the means of the validation "
           "curves; below 1 is sooner.</p>\n";
}

}  // namespace polytrain
