#pragma once
// Curves that a paper printed, beside those of the runs.

#include <filesystem>
#include <string>
#include <vector>

#include "report/chart.hpp"

namespace polytrain {

struct PaperFigure {
    std::string title;          // the file's name: "dense train loss" of dense_train_loss.csv
    std::vector<Curve> curves;  // over tokens
};

// Reads a CSV of the columns series,tokens_billion,value, each series' rows one after another by
// ascending tokens. Missing file: exit 66; anything else in it: exit 65 with file:line.
PaperFigure read_paper_figure(const std::filesystem::path& path);

std::string paper_section(const std::vector<PaperFigure>& figures);

}  // namespace polytrain
