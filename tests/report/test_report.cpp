#include "kernels/reference/register.hpp"
#include "ops/op_table.hpp"
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
    RunMetrics run;
    run.name = name;
    run.records = {{1, 100, 5.0, 10.0, std::nullopt, 0.25},
                   {2, 200, 4.0, 30.0, 3.25, 0.75},
                   {3, 300, 3.5, 20.0, 3.5, 0.5}};
    run.config = {{"seed", "1"}, {"model.feed_forward.activation", name}};
    run.parameters = 1234567;
    return run;
}

bool contains(const std::string& html, const std::string& text) {
    return html.find(text) != std::string::npos;
}

int count(const std::string& html, const std::string& text) {
    int found = 0;
    for (size_t at = html.find(text); at != std::string::npos; at = html.find(text, at + 1))
        ++found;
    return found;
}

void write_run(const fs::path& folder, const std::string& metrics) {
    fs::create_directories(folder);
    spit(folder / "metrics.jsonl", metrics);
    spit(folder / "config.json", "{}");
}

}  // namespace

TEST_CASE("the report holds the final figures of each run and what its config changed") {
    const std::string html = report_html({run_named("polynorm"), run_named("swiglu")});
    CHECK(contains(html,
                   "polynorm</td><td>1&#8239;234&#8239;567</td><td>3</td><td>300</td>"
                   "<td>3.5000</td><td>3.2500</td><td>3.5000</td><td>20</td><td>50%</td>"));
    CHECK(contains(html, "<li><i class=\"c0\"></i>polynorm <b>3.5000</b></li>"));
    CHECK(contains(html, "<li><i class=\"c1\"></i>swiglu <b>3.5000</b></li>"));
    CHECK(contains(html, "<td>model.feed_forward.activation</td><td>polynorm</td><td>swiglu</td>"));
    CHECK(!contains(html, "<td>seed</td>"));
    CHECK(contains(html, "name=\"viewport\""));
    for (const char* outside :
         {"<script", "http://", "https://", "<link", "<img", "src=", "@import"})
        CHECK(!contains(html, outside));
}

TEST_CASE("a run without validation, and one run alone") {
    RunMetrics run = run_named("a");
    for (MetricsRecord& record : run.records)
        record.val_loss = record.tokens_per_s = record.mfu = std::nullopt;
    const std::string html = report_html({run});
    CHECK(contains(html, "<td>3.5000</td><td>-</td><td>-</td><td>-</td><td>-</td></tr>"));
    CHECK(!contains(html, "configs differ"));
    CHECK(!contains(html, "<h2>Validation loss"));
    CHECK(!contains(html, "coefficients of the activations"));
    CHECK(count(html, "<svg") == 1);
}

TEST_CASE("names and config values are escaped") {
    RunMetrics run = run_named("<script>alert(1)</script>");
    run.config["<u>"] = "\"&<i>";
    const std::string html = report_html({run, run_named("b")});
    CHECK(!contains(html, "<script"));
    CHECK(!contains(html, "<u>"));
    CHECK(!contains(html, "<i>"));
    CHECK(contains(html, "&lt;u&gt;"));
}

TEST_CASE("runs of different lengths, of steps without a loss, and of more runs than colours") {
    std::vector<RunMetrics> runs;
    for (int i = 0; i < 16; ++i) {
        runs.push_back(run_named(fmt::format("run{}", i)));
        runs.back().records.resize(static_cast<size_t>(1 + i % 3));
    }
    runs[1].records[0].loss = std::nullopt;
    for (MetricsRecord& record : runs[2].records) record.loss = std::nullopt;
    const std::string html = report_html(runs);
    CHECK(contains(html, "<i class=\"c1 dash0\"></i>run8 <b>3.5000</b>"));
    CHECK(contains(html, "<i class=\"c0 dash1\"></i>run14 <b>3.5000</b>"));
    CHECK(contains(html, "<i class=\"c2\"></i>run2 <b>-</b>"));
    CHECK(!contains(html, "nan"));
    CHECK(html.size() < 100000);
}

TEST_CASE("the training loss that is told is smoothed, and long runs make no long pages") {
    RunMetrics run = run_named("long");
    run.records.clear();
    for (int i = 1; i <= 100000; ++i)
        run.records.push_back({i, 10 * i, i % 2 == 0 ? 3.0 : 2.0, 1.0, {}, {}});
    const std::string html = report_html({run, run, run, run});
    CHECK(contains(html, "<td>2.5002</td>"));  // of 2001 steps, 1001 of them at 3
    CHECK(count(html, "class=\"faint") == 4);
    CHECK(html.size() < 200000);
}

TEST_CASE("coefficients have a chart for each and a table for each run that has them") {
    RunMetrics one = run_named("one"), two = run_named("two"), none = run_named("none");
    one.coefficients = {{0, {0.5, 0.25}}, {1, {0.75, -0.125}}};
    two.coefficients = {{0, {1, 2, 3}}};
    const std::string html = report_html({one, none, two});
    CHECK(count(html, "<svg") == 2 + 3);
    CHECK(count(html, "<details>") == 2);
    CHECK(contains(html, "<tr><td>1</td><td>0.75000</td><td>-0.12500</td></tr>"));
    CHECK(contains(html, "<tr><td>0</td><td>1.00000</td><td>2.00000</td><td>3.00000</td></tr>"));
    const std::string third = html.substr(html.find("<figcaption>a<sub>2</sub>"));
    CHECK(contains(third, "<g class=\"c2\"><title>two</title>"));
    CHECK(!contains(third, "<title>one</title>"));
}

TEST_CASE("several validation sets are told apart") {
    RunMetrics run = run_named("a"), other = run_named("b");
    run.val_losses = {{"books", 3.5}, {"web", 3.25}};
    const std::string html = report_html({run, other});
    CHECK(contains(html, "<td>books</td><td>3.5000</td><td>-</td>"));
}

TEST_CASE("write_report reads run folders and replaces the page") {
    TempFolder folder;
    OpTable ops;
    register_reference_ops(ops);
    const auto write_report = [&](const std::vector<fs::path>& runs, const fs::path& out) {
        polytrain::write_report(runs, {}, ops.activations(), out);
    };
    for (const char* name : {"a/run", "b/run"})
        write_run(folder / name, "{\"step\":1,\"tokens\":10,\"loss\":2}\n{\"step\":2,\"tok");
    spit(folder / "page.html", "older");
    write_report({folder / "a/run", folder / "b/run"}, folder / "page.html");
    const std::string html = slurp(folder / "page.html");
    CHECK(contains(html, "</i>run</td>"));
    CHECK(contains(html, "</i>" + (folder / "b/run").string() + "</td>"));  // told apart
    CHECK(thrown_by([&] { write_report({folder / "c"}, folder / "page.html"); }).code ==
          ExitCode::kInputMissing);
    CHECK(thrown_by([&] { write_report({folder / "a/run"}, folder / "no/page.html"); }).code ==
          ExitCode::kCannotWrite);
    CHECK(slurp(folder / "page.html") == html);
}
