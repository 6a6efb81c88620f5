#pragma once

#include <string>
#include <vector>

#include "report/metrics.hpp"

namespace polytrain {

// A section of a heading and a table of these rows, as HTML.
std::string table(const std::string& title, const std::string& rows);

// Sections of the page: how each run ended; its validation sets, where there are several; and the
// config keys that don't have the same value in every run, which is what an ablation changed. Empty
// where there is nothing to show.
std::string final_section(const std::vector<RunMetrics>& runs);
std::string validation_sets_section(const std::vector<RunMetrics>& runs);
std::string difference_section(const std::vector<RunMetrics>& runs);

}  // namespace polytrain
