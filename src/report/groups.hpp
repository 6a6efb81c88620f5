#pragma once
// Runs that differ in nothing but their seed, as one.

#include <string>
#include <vector>

#include "report/chart.hpp"
#include "report/metrics.hpp"

namespace polytrain {

struct RunGroup {
    std::string name;          // of its first run, without the seed that `sweep` puts there
    std::vector<size_t> runs;  // of the report's
};

// By the first of their runs. Of two with the same seed one is in another group.
std::vector<RunGroup> groups_of(const std::vector<RunMetrics>& runs);

// The mean of the runs' validation losses, at the numbers of tokens where all have one.
std::vector<Point> mean_validation(const std::vector<RunMetrics>& runs, const RunGroup& group);

// How many times the tokens of `reference` a curve takes to the higher of their two last losses;
// nothing where one has no points. Between points a curve is straight, and where it first is as low
// counts.
std::optional<double> tokens_ratio(const std::vector<Point>& curve,
                                   const std::vector<Point>& reference);

// A table of the groups: mean and spread of their losses at the last number of tokens that all of a
// group's runs have, and how they compare with the first.
// Empty where there is one run alone, or none that was evaluated.
std::string groups_section(const std::vector<RunMetrics>& runs);

}  // namespace polytrain
