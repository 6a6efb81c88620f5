#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/metrics.hpp"
#include "report/paper.hpp"

namespace polytrain {

// One self-contained HTML page about the runs: final figures, also over seeds, loss curves over
// tokens, those of a paper beside them, the config keys in which the runs differ, the coefficients
// that their activations learned, and what `polytrain analyze` found. No scripts, nothing from
// elsewhere.
std::string report_html(const std::vector<RunMetrics>& runs,
                        const std::vector<PaperFigure>& paper = {});

// Reads the runs' folders and the paper's curves and writes the page to `out`, in place of an older
// one. Errors as read_run()'s and read_paper_figure()'s; not writable: exit 73.
void write_report(const std::vector<std::filesystem::path>& run_folders,
                  const std::vector<std::filesystem::path>& paper, const ActivationCatalog& catalog,
                  const std::filesystem::path& out);

}  // namespace polytrain
