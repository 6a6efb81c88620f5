#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/metrics.hpp"

namespace polytrain {

// RUN/analysis, which `polytrain analyze` writes; empty where it didn't. Malformed: exit 65.
RunAnalyses read_analyses(const std::filesystem::path& run_folder);

// Section of the page: ranks, activations and coefficients as curves of the runs, similarities as a
// picture for each run. Empty where no run was analysed.
std::string analysis_section(const std::vector<RunMetrics>& runs);

}  // namespace polytrain
