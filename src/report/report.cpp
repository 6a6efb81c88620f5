#include "report/report.hpp"

#include <set>
#include <string_view>

#include "core/file.hpp"
#include "report/analyses.hpp"
#include "report/curves.hpp"
#include "report/groups.hpp"
#include "report/tables.hpp"

namespace polytrain {
namespace {

// The runs' colours are told apart by most colour-blind readers (Okabe and Ito); on a dark page
// they are lighter.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>PolyTrain report</title>
<style>
:root { --page: #fff; --text: #222; --soft: #555; --line: #ddd;
        --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b98000;
        --c5: #2a9fd8; --c6: #555; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --text: #e6e6e6; --soft: #a8adb5; --line: #363a42;
          --c0: #56b4e9; --c1: #ff8c42; --c2: #35c99a; --c3: #e79fc9; --c4: #e6b800;
          --c5: #8fa8ff; --c6: #b0b0b0; } }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 64em; margin: 0 auto; padding: 0 1em 3em;
       color: var(--text); background: var(--page); }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin: 1.8em 0 0.4em; }
svg { width: 100%; max-width: 760px; height: auto; display: block; }
svg text { font-size: 14px; fill: var(--soft); }
@media (min-width: 640px) { svg text { font-size: 10px; } }
svg .grid { stroke: var(--line); stroke-width: 0.7; }
svg polyline { fill: none; stroke: var(--c); stroke-width: 1.5; stroke-linejoin: round; }
svg polyline.faint { stroke-width: 1; opacity: 0.25; }
svg circle { fill: var(--c); }
.dash0 polyline { stroke-dasharray: 6 3; } .dash1 polyline { stroke-dasharray: 2 2; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); }
.legend { list-style: none; padding: 0; margin: 0.4em 0; }
.legend li { display: inline-block; margin-right: 1.6em; }
i[class] { display: inline-block; width: 1.3em; height: 0.25em; margin-right: 0.45em;
           vertical-align: middle; background: var(--c); }
i.dash0 { background: repeating-linear-gradient(90deg, var(--c) 0 6px, transparent 6px 9px); }
i.dash1 { background: repeating-linear-gradient(90deg, var(--c) 0 3px, transparent 3px 5px); }
.note { color: var(--soft); font-size: 0.85em; margin-top: 0.2em; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(18em, 1fr)); gap: 1em; }
.charts svg text { font-size: 14px; }
figure { margin: 0; } figcaption { font-weight: bold; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3em 0.8em; border-bottom: 1px solid var(--line); text-align: right; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
summary { cursor: pointer; margin-top: 0.6em; }
</style>
</head>
<body>
<h1>PolyTrain report</h1>
)";

}  // namespace

std::string report_html(const std::vector<RunMetrics>& runs,
                        const std::vector<PaperFigure>& paper) {
    return std::string(kHead) + final_section(runs) + groups_section(runs) +
           validation_section(runs) + training_section(runs) + paper_section(paper) +
           validation_sets_section(runs) + difference_section(runs) + coefficient_section(runs) +
           analysis_section(runs) + "</body>\n</html>\n";
}

void write_report(const std::vector<std::filesystem::path>& run_folders,
                  const std::vector<std::filesystem::path>& paper, const ActivationCatalog& catalog,
                  const std::filesystem::path& out) {
    std::vector<RunMetrics> runs;
    std::set<std::string> names;
    for (const std::filesystem::path& folder : run_folders) {
        runs.push_back(read_run(folder, catalog));
        // Folders of one name in different places are told apart by their paths.
        if (!names.insert(runs.back().name).second) runs.back().name = folder.string();
    }
    std::vector<PaperFigure> figures;
    for (const std::filesystem::path& path : paper) figures.push_back(read_paper_figure(path));
    write_file_atomic(out, report_html(runs, figures));
}

}  // namespace polytrain
