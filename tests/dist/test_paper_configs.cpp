// Every config of the paper and of the study, shrunk, on one rank and on two.

#include <set>

#include "dist/runs.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// Those that stand for a run: bases are what others extend.
std::vector<fs::path> configs_in(const fs::path& folder) {
    std::set<fs::path> paths, bases;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".json") continue;
        paths.insert(entry.path());
        if (entry.path().stem().string().ends_with("base")) bases.insert(entry.path());
    }
    for (const fs::path& base : bases) paths.erase(base);
    return {paths.begin(), paths.end()};
}

}  // namespace

TEST_CASE("paper's and study's configs, shrunk: three steps on one rank, the same on two") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    const fs::path configs = fs::path(POLYTRAIN_SOURCE_DIR) / "configs";
    size_t count = 0;
    for (const char* part :
         {"paper/dense_1b", "paper/moe_7b", "paper/ablations", "paper/ladder", "study"}) {
        std::string words;
        const std::vector<fs::path> paths = configs_in(configs / part);
        for (const fs::path& path : paths) words += " '" + path.string() + "'";
        count += paths.size();
        for (const int ranks : {1, 2}) {
            const std::string out = (folder / std::to_string(ranks)).string();
            const ProgramResult run =
                run_ranks(ranks, POLYTRAIN_PROGRAM " sweep --shrink --out '" + out + "'" + words);
            INFO(run.err);
            REQUIRE(run.exit_code == 0);
        }
        for (const fs::path& path : paths) {
            INFO(path.string());
            const auto one = metrics_of(folder / "1" / path.stem()),
                       two = metrics_of(folder / "2" / path.stem());
            REQUIRE(one.size() == 3);
            REQUIRE(two.size() == 3);
            for (size_t i = 0; i < one.size(); ++i) {
                const double loss = one[i]["loss"];
                CHECK(loss > 0);
                CHECK(std::fabs(loss - two[i]["loss"].get<double>()) < 1e-4 * loss);
            }
            CHECK(one[0]["loss"] != one[2]["loss"]);
        }
        for (const char* ranks : {"1", "2"}) fs::remove_all(folder / ranks);
    }
    CHECK(count == 6 + 2 + 7 + 6 + 8);
}
