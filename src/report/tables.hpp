#pragma once

#include <string>
#include <vector>

#include "report/metrics.hpp"

namespace polytrain {

// Sections of the page: how each run ended; its validation sets, where there are several; and the
// config keys that don't have the same value in every run, which is what an ablation changed. Empty
// where there is nothing to show.
std::string final_section(const std::vector<RunMetrics>& runs);
std::string validation_sets_section(const std::vector<RunMetrics>& runs);
std::string difference_section(const std::vector<RunMetrics>& runs);

}  // namespace polytrain
