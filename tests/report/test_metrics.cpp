#include "report/metrics.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Fixture {
    TempFolder run;
    Fixture() { spit(run / "config.json", "{}"); }
    RunMetrics read(const std::string& metrics) {
        spit(run / "metrics.jsonl", metrics);
        return read_run(run.path());
    }
    void refused(const std::string& metrics, const std::string& why) {
        const Thrown thrown = thrown_by([&] { read(metrics); });
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(why));
    }
};

const std::string kLine =
    R"({"step":1,"tokens":64,"loss":5.5,"grad_norm":1,"lr":0.1,"tokens_per_s":9.5,"val_loss":5})"
    "\n";

}  // namespace

TEST_CASE_METHOD(Fixture, "metrics: known keys are read, others left, missing ones absent") {
    const RunMetrics metrics =
        read(kLine + "{\"step\":2,\"tokens\":128,\"loss\":5,\"val_loss\":null}\n");
    REQUIRE(metrics.records.size() == 2);
    CHECK(metrics.records[0].step == 1);
    CHECK(metrics.records[0].tokens == 64);
    CHECK(metrics.records[0].loss == 5.5);
    CHECK(metrics.records[0].tokens_per_s == 9.5);
    CHECK(metrics.records[0].val_loss == 5.0);
    CHECK(metrics.records[1].loss == 5.0);
    CHECK(!metrics.records[1].tokens_per_s);
    CHECK(!metrics.records[1].val_loss);
    CHECK(metrics.name == run.path().filename());
    CHECK(read_run(run.path() / "").name == run.path().filename());
}

TEST_CASE_METHOD(Fixture,
                 "metrics: a torn last line is left out, any other is an error with its line") {
    for (size_t size = kLine.size(); size < 2 * kLine.size(); ++size)
        CHECK(read((kLine + kLine).substr(0, size)).records.size() == 1);
    refused(kLine + "{\"step\":2,\n" + kLine, "metrics.jsonl:2: not valid JSON");
    refused(kLine + "\n" + kLine, "metrics.jsonl:2: ");
    refused("[1]\n", "metrics.jsonl:1: ");
    refused("{\"step\":1,\"tokens\":2}\n", "loss");
    refused("{\"step\":1,\"tokens\":2,\"loss\":\"x\"}\n", "metrics.jsonl:1: ");
    refused("{\"step\":-1,\"tokens\":2,\"loss\":1}\n", "\"step\" is -1");
    refused("{\"step\":1,\"tokens\":2.5,\"loss\":1}\n", "\"tokens\" is 2.5");
    refused("{\"step\":1,\"tokens\":2,\"loss\":1e999}\n", "metrics.jsonl:1: ");
    refused("", "no metrics yet");
    refused("{", "no metrics yet");
}

TEST_CASE_METHOD(Fixture, "metrics: steps that a resumed run did again count once, as done last") {
    const auto line = [](int step, double loss) {
        return fmt::format("{{\"step\":{},\"tokens\":{},\"loss\":{}}}\n", step, step * 10, loss);
    };
    const RunMetrics metrics =
        read(line(1, 9) + line(2, 8) + line(3, 7) + line(2, 6) + line(3, 5) + line(4, 4));
    REQUIRE(metrics.records.size() == 4);
    const double losses[] = {9, 6, 5, 4};
    for (size_t i = 0; i < 4; ++i) CHECK(metrics.records[i].loss == losses[i]);
}

TEST_CASE_METHOD(Fixture, "metrics: the config is read as dotted keys") {
    spit(run / "config.json", R"({"a":{"b":{"c":1.5},"d":"x"},"e":[1,2],"f":true})");
    CHECK(read(kLine).config == std::map<std::string, std::string>{
                                    {"a.b.c", "1.5"}, {"a.d", "x"}, {"e", "[1,2]"}, {"f", "true"}});
    spit(run / "config.json", "{");
    refused(kLine, "config.json");
}

TEST_CASE_METHOD(Fixture, "metrics: missing files are named") {
    CHECK(thrown_by([&] { read_run(run.path()); }).says("metrics.jsonl"));
    spit(run / "metrics.jsonl", kLine);
    std::filesystem::remove(run / "config.json");
    const Thrown thrown = thrown_by([&] { read_run(run.path()); });
    CHECK(thrown.code == ExitCode::kInputMissing);
    CHECK(thrown.says("config.json"));
}
