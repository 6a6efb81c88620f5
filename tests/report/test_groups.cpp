#include "report/groups.hpp"
#include "report/paper.hpp"
#include "report/report.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

RunMetrics run_of(const std::string& name, const std::string& activation, const std::string& seed,
                  const std::vector<double>& val_losses) {
    RunMetrics run;
    run.name = name;
    run.config = {{"seed", seed}, {"model.feed_forward.activation", activation}};
    for (size_t i = 0; i < val_losses.size(); ++i) {
        MetricsRecord record;
        record.step = static_cast<int64_t>(i + 1);
        record.tokens = 100 * record.step;
        record.loss = 9;
        record.val_loss = val_losses[i];
        run.records.push_back(record);
    }
    return run;
}

bool contains(const std::string& html, const std::string& text) {
    return html.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("groups: runs that differ in their seed alone are one row, with mean and spread") {
    const std::vector<RunMetrics> runs{run_of("swiglu-seed=1", "swiglu", "1", {5, 4, 3}),
                                       run_of("polynorm-seed=1", "polynorm", "1", {4, 3, 2.5}),
                                       run_of("swiglu-seed=2", "swiglu", "2", {5, 4.5, 3.5})};
    const auto groups = groups_of(runs);
    REQUIRE(groups.size() == 2);
    CHECK(groups[0].name == "swiglu");
    CHECK(groups[0].runs == std::vector<size_t>{0, 2});
    CHECK(groups[1].name == "polynorm");
    const auto mean = mean_validation(runs, groups[0]);
    REQUIRE(mean.size() == 3);
    CHECK(mean[1].x == 200);
    CHECK(mean[1].y == 4.25);
    // Standard deviation of 3 and 3.5: 0.25 sqrt(2). PolyNorm is at 3.25 after 175 tokens, SwiGLU
    // after 300.
    const std::string html = groups_section(runs);
    CHECK(contains(
        html,
        "<td>swiglu</td><td>2</td><td>300</td><td>3.2500</td><td>0.3536</td><td>3.0000</td>"
        "<td>3.5000</td><td>-</td><td>-</td>"));
    CHECK(contains(html,
                   "<td>polynorm</td><td>1</td><td>300</td><td>2.5000</td><td>-</td><td>2.5000</td>"
                   "<td>2.5000</td><td>-0.7500</td><td>0.583</td>"));
    CHECK(contains(report_html(runs), html));
}

TEST_CASE("groups: tokens to equal loss, either way and where one has no curve") {
    const std::vector<Point> slow{{100, 5}, {200, 4}, {300, 3}}, fast{{100, 4}, {200, 2}, {300, 1}};
    CHECK(tokens_ratio(fast, slow).value() == Approx(0.5));
    CHECK(tokens_ratio(slow, fast).value() == Approx(2.0));
    CHECK(tokens_ratio(slow, slow).value() == 1);
    CHECK_FALSE(tokens_ratio({}, slow));
    CHECK_FALSE(tokens_ratio(slow, {}));
    // Below it from its first point on.
    CHECK(tokens_ratio({{100, 1}}, slow).value() == Approx(100.0 / 300));
}

TEST_CASE("groups: names, and runs without an evaluation") {
    std::vector<RunMetrics> runs{run_of("a-seed=12-lr=0.1", "a", "12", {}),
                                 run_of("b", "b", "1", {})};
    CHECK(groups_of(runs)[0].name == "a-lr=0.1");
    CHECK(groups_section(runs).empty());
    CHECK(groups_section({run_of("b", "b", "1", {3})}).empty());
    // One that isn't through yet: all figures are of where both have been.
    runs = {run_of("a", "a", "1", {3, 2}), run_of("a2", "a", "2", {4}),
            run_of("b", "b", "1", {5, 4})};
    CHECK(mean_validation(runs, groups_of(runs)[0]).size() == 1);
    CHECK(contains(groups_section(runs), "<td>a</td><td>2</td><td>100</td><td>3.5000</td>"));
    CHECK(contains(groups_section(runs), "<td>4.0000</td><td>-</td><td>2.000</td>"));
    // The same seed twice.
    runs = {run_of("a", "a", "1", {3}), run_of("b", "a", "1", {3}), run_of("c", "a", "2", {3})};
    const auto groups = groups_of(runs);
    REQUIRE(groups.size() == 2);
    CHECK(groups[0].runs == std::vector<size_t>{0, 2});
    CHECK(groups[1].name == "b");
}

TEST_CASE("paper: curves of a CSV are drawn under their names") {
    const TempFolder folder;
    spit(folder / "dense_train_loss.csv",
         "series,tokens_billion,value\nSwi<GLU,25.5,2.4\nSwi<GLU,26,2.25\nA,|B,1,7\n");
    const PaperFigure figure = read_paper_figure(folder / "dense_train_loss.csv");
    CHECK(figure.title == "dense train loss");
    REQUIRE(figure.curves.size() == 2);
    CHECK(figure.curves[0].name == "Swi<GLU");
    CHECK(figure.curves[0].points.back().x == 26e9);
    CHECK(figure.curves[0].points.back().y == 2.25);
    CHECK(figure.curves[1].name == "A,|B");
    const std::string html = paper_section({figure});
    CHECK(contains(html, "Swi&lt;GLU <b>2.2500</b>"));
    CHECK(contains(html, "<svg"));
    CHECK(contains(report_html({run_of("a", "a", "1", {3})}, {figure}), html));
    CHECK(paper_section({}).empty());
}

TEST_CASE("paper: what isn't such a CSV is refused with the line") {
    const TempFolder folder;
    const auto refused = [&](const std::string& text, const std::string& why) {
        spit(folder / "f.csv", text);
        const Thrown thrown = thrown_by([&] { read_paper_figure(folder / "f.csv"); });
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(why));
    };
    const std::string head = "series,tokens_billion,value\n";
    refused("", "holds no curve");
    refused(head, "holds no curve");
    refused("a,b,c\n", "f.csv:1: wants the header");
    refused(head + "a,1,2\n\n", "f.csv:3: wants");
    refused(head + "a\n", "f.csv:2: wants");
    refused(head + ",1\n", "f.csv:2: wants");
    refused(head + "a,1,x\n", "f.csv:2: \"x\" is no number");
    refused(head + "a,nan,1\n", "f.csv:2: \"nan\" is no number");
    refused(head + "a,2,1\na,1,1\n", "f.csv:3: tokens go down");
    refused(head + "a,1,1\nb,1,1\na,2,1\n", "f.csv:4: the rows of \"a\" are not one after another");
}
