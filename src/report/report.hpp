#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/metrics.hpp"

namespace polytrain {

// One self-contained HTML page about the runs: final figures, loss curves over tokens, the config
// keys in which the runs differ, the coefficients that their activations learned, and what
// `polytrain analyze` found. No scripts, nothing from elsewhere.
std::string report_html(const std::vector<RunMetrics>& runs);

// Reads the runs' folders and writes the page to `out`, in place of an older one. Errors as
// read_run()'s; not writable: exit 73.
void write_report(const std::vector<std::filesystem::path>& run_folders,
                  const ActivationCatalog& catalog, const std::filesystem::path& out);

}  // namespace polytrain
