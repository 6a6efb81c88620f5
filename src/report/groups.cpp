#include "report/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

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

// Tokens -> losses of the group's runs, in their order.
std::map<int64_t, std::vector<double>> validation_of(const std::vector<RunMetrics>& runs,
                                                     const RunGroup& group) {
    std::map<int64_t, std::vector<double>> losses;
    for (const size_t run : group.runs)
        for (const MetricsRecord& record : runs[run].records)
            if (record.val_loss) losses[record.tokens].push_back(*record.val_loss);
    std::erase_if(losses, [&](const auto& at) { return at.second.size() < group.runs.size(); });
    return losses;
}

}  // namespace

std::vector<RunGroup> groups_of(const std::vector<RunMetrics>& runs) {
    std::vector<RunGroup> groups;
    std::vector<std::map<std::string, std::string>> configs;  // of the groups
    std::vector<std::set<std::string>> seeds;
    for (size_t i = 0; i < runs.size(); ++i) {
        auto config = runs[i].config;
        const std::string seed = config["seed"];
        config.erase("seed");
        size_t place = 0;
        while (place < groups.size() && (configs[place] != config || seeds[place].contains(seed)))
            ++place;
        if (place == groups.size()) {
            groups.push_back({without_seed(runs[i].name), {}});
            configs.push_back(config);
            seeds.emplace_back();
        }
        groups[place].runs.push_back(i);
        seeds[place].insert(seed);
    }
    return groups;
}

std::vector<Point> mean_validation(const std::vector<RunMetrics>& runs, const RunGroup& group) {
    std::vector<Point> points;
    for (const auto& [tokens, losses] : validation_of(runs, group))
        points.push_back({static_cast<double>(tokens), spread_of(losses).mean});
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
    std::optional<Point> first;
    std::vector<Point> first_curve;
    for (const RunGroup& group : groups_of(runs)) {
        const auto validation = validation_of(runs, group);
        if (validation.empty()) continue;
        const auto& [tokens, losses] = *validation.rbegin();
        const Spread spread = spread_of(losses);
        const std::vector<Point> curve = mean_validation(runs, group);
        const bool is_first = !first;
        if (is_first) {
            first = curve.back();
            first_curve = curve;
        }
        const std::optional<double> ratio = tokens_ratio(curve, first_curve);
        const bool compares = !is_first && curve.back().x == first->x;
        rows += fmt::format(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.4f}</td><td>{}</td><td>{:.4f}</td>"
            "<td>{:.4f}</td><td>{}</td><td>{}</td></tr>\n",
            escape_html(group.name), losses.size(), tokens, spread.mean,
            losses.size() > 1 ? fmt::format("{:.4f}", spread.deviation) : "-", spread.lowest,
            spread.highest, compares ? fmt::format("{:+.4f}", spread.mean - first->y) : "-",
            is_first || !ratio ? "-" : fmt::format("{:.3f}", *ratio));
    }
    if (rows.empty()) return "";
    return table("Last validation losses over seeds",
                 "<tr><th>Runs</th><th>Seeds</th><th>Tokens</th><th>Mean</th>"
                 "<th>Standard deviation</th><th>Lowest</th><th>Highest</th>"
                 "<th>Minus the first's</th><th>Tokens to equal loss / the first's</th></tr>\n" +
                     rows) +
           "<p class=\"note\">Runs that differ in nothing but their seed are one row, at the last "
           "number of tokens where all of them were evaluated. Tokens to equal loss: to the higher "
           "of the two last losses, along the means of the validation curves; below 1 is "
           "sooner.</p>\n";
}

}  // namespace polytrain
