#pragma once

#include <string>
#include <vector>

#include "report/chart.hpp"
#include "report/metrics.hpp"

namespace polytrain {

// Classes of the page's style sheet that give run number `run` its colour and dashes.
inline constexpr int kRunColors = 7;
std::string run_style(size_t run);

// Each curve's colour, name and, with `values`, last value; the same as a text to be read aloud.
std::string legend(const std::vector<Curve>& curves, bool values);
std::string described(const std::vector<Curve>& curves, const std::string& what);

// The last training loss, smoothed as its curve is.
std::optional<double> final_loss(const RunMetrics& run);

// Sections of the page: empty where no run has what they show.
std::string validation_section(const std::vector<RunMetrics>& runs);
std::string training_section(const std::vector<RunMetrics>& runs);
std::string coefficient_section(const std::vector<RunMetrics>& runs);

}  // namespace polytrain
