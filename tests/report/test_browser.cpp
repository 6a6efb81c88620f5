// The page in a real browser.

#include <cstdlib>

#include "report/report.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Browser {
    TempFolder folder;

    bool runs(const std::string& arguments) const {
        const std::string command =
            "chromium --headless --no-sandbox --disable-gpu "
            "--user-data-dir='" +
            (folder / "profile").string() + "' --enable-logging=stderr " + arguments + " > '" +
            (folder / "out").string() + "' 2> '" + (folder / "err").string() + "'";
        return std::system(command.c_str()) == 0;
    }
    struct Opened {
        std::string elements, log;
        bool complains() const { return log.find(":CONSOLE") != std::string::npos; }
    };
    Opened open(const std::string& html) const {
        spit(folder / "page.html", html);
        REQUIRE(runs("--dump-dom 'file://" + (folder / "page.html").string() + "'"));
        return {slurp(folder / "out"), slurp(folder / "err")};
    }
};

}  // namespace

TEST_CASE("a browser opens the report without a complaint", "[slow]") {
    const Browser browser;
    if (!browser.runs("--version")) {
        WARN("SKIPPED: there is no working chromium (Debian package \"chromium\")");
        return;
    }
    REQUIRE(browser.open("<script>console.error('planted')</script>").complains());
    REQUIRE(browser.open("<script>planted()</script>").complains());

    RunMetrics run;
    run.name = "<b>&\"one\"";
    for (int i = 1; i <= 500; ++i)
        run.records.push_back({i, 100 * i, 2 + 5.0 / i, 1000.0, {}, 0.5});
    run.records.back().val_loss = 2.5;
    run.coefficients = {{0, {0.1, 0.2}}, {1, {0.3, 0.4}}};
    run.config = {{"seed", "1"}};
    RunMetrics other = run;
    other.name = "two";
    other.config["seed"] = "</style><script>planted()</script>";
    const Browser::Opened opened = browser.open(report_html({run, other}));
    INFO(opened.log);
    CHECK(!opened.complains());
    // All of it is in the document, down to the end.
    const auto count = [&](const std::string& text) {
        int found = 0;
        for (size_t at = 0; (at = opened.elements.find(text, at)) != std::string::npos; ++at)
            ++found;
        return found;
    };
    CHECK(count("<svg ") == 4);
    CHECK(count("<polyline ") == 2 + 4 + 2 * 2);
    CHECK(count("<title id=") == 4);
    CHECK(count("<details>") == 2);
    CHECK(count("<script") == 0);
}
