#include "report/report.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

RunMetrics run_named(const std::string& name) {
    return {
        name,
        {{1, 100, 5.0, 10.0, std::nullopt}, {2, 200, 4.0, 30.0, 3.25}, {3, 300, 3.5, 20.0, 3.5}},
        {{"seed", "1"}, {"model.feed_forward.activation", name}}};
}

bool contains(const std::string& html, const std::string& text) {
    return html.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("the report holds the final figures of each run and what its config changed") {
    const std::string html = report_html({run_named("polynorm"), run_named("swiglu")});
    CHECK(contains(html,
                   "<td>polynorm</td><td>3</td><td>300</td><td>3.5000</td><td>3.2500</td>"
                   "<td>3.5000</td><td>20</td>"));
    CHECK(contains(html, "<td>model.feed_forward.activation</td><td>polynorm</td><td>swiglu</td>"));
    CHECK(!contains(html, "<td>seed</td>"));
    CHECK(contains(html, "name=\"viewport\""));
    for (const char* outside :
         {"<script", "http://", "https://", "<link", "<img", "src=", "@import"})
        CHECK(!contains(html, outside));
}

TEST_CASE("a run without validation, and one run alone") {
    RunMetrics run = run_named("a");
    for (MetricsRecord& record : run.records) record.val_loss = record.tokens_per_s = std::nullopt;
    const std::string html = report_html({run});
    CHECK(contains(html, "<td>3.5000</td><td>-</td><td>-</td><td>-</td></tr>"));
    CHECK(!contains(html, "configs differ"));
}

TEST_CASE("names and config values are escaped") {
    RunMetrics run = run_named("<script>alert(1)</script>");
    run.config["<b>"] = "\"&<i>";
    const std::string html = report_html({run, run_named("b")});
    CHECK(!contains(html, "<script"));
    CHECK(!contains(html, "<b>"));
    CHECK(!contains(html, "<i>"));
    CHECK(contains(html, "&lt;b&gt;"));
}

TEST_CASE("write_report reads run folders and replaces the page") {
    TempFolder folder;
    for (const char* name : {"a/run", "b/run"}) {
        fs::create_directories(folder / name);
        spit(folder.path() / name / "metrics.jsonl", "{\"step\":1,\"tokens\":10,\"loss\":2}\n");
        spit(folder.path() / name / "config.json", "{}");
    }
    spit(folder / "page.html", "older");
    write_report({folder / "a/run", folder / "b/run"}, folder / "page.html");
    const std::string html = slurp(folder / "page.html");
    CHECK(contains(html, "<td>run</td>"));
    CHECK(contains(html, "<td>" + (folder / "b/run").string() + "</td>"));  // told apart
    CHECK(thrown_by([&] { write_report({folder / "c"}, folder / "page.html"); }).code ==
          ExitCode::kInputMissing);
    CHECK(thrown_by([&] { write_report({folder / "a/run"}, folder / "no/page.html"); }).code ==
          ExitCode::kCannotWrite);
    CHECK(slurp(folder / "page.html") == html);
}
