#include "kernels/reference/register.hpp"
#include "ops/op_table.hpp"
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
    OpTable ops;
    Fixture() {
        register_reference_ops(ops);
        spit(run / "config.json", "{}");
    }
    RunMetrics read(const std::string& metrics) {
        spit(run / "metrics.jsonl", metrics);
        return read_again(run.path());
    }
    RunMetrics read_again(const std::filesystem::path& folder) {
        return read_run(folder, ops.activations());
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
    CHECK(read_again(run.path() / "").name == run.path().filename());
}

TEST_CASE_METHOD(Fixture,
                 "metrics: a torn last line is left out, any other is an error with its line") {
    for (size_t size = kLine.size(); size < 2 * kLine.size(); ++size)
        CHECK(read((kLine + kLine).substr(0, size)).records.size() == 1);
    refused(kLine + "{\"step\":2,\n" + kLine, "metrics.jsonl:2: not valid JSON");
    refused(kLine + "\n" + kLine, "metrics.jsonl:2: ");
    refused("[1]\n", "metrics.jsonl:1: ");
    refused("{\"step\":1,\"tokens\":2}\n", "loss");
    refused(R"({"step":1,"tokens":2,"loss":1,"coefficients":[1]})"
            "\n",
            "metrics.jsonl:1: ");
    refused(
        R"({"step":1,"tokens":2,"loss":1,"coefficients":{"layers.0.feed_forward.coefficients":["a"]}})"
        "\n",
        "metrics.jsonl:1: ");
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

TEST_CASE_METHOD(Fixture, "metrics: the last coefficients and validation sets, by layer and name") {
    const RunMetrics metrics = read(
        R"({"step":1,"tokens":1,"loss":1,"mfu":0.5,"coefficients":{"layers.7.feed_forward.coefficients":[9]}})"
        "\n"
        R"({"step":2,"tokens":2,"loss":1,"val_losses":{"b":2,"a":1},"coefficients":{)"
        R"("layers.0.feed_forward.coefficients":[1,2.5],"layers.10.moe.experts.coefficients":[3,4],)"
        R"("layers.0.moe.shared.coefficients":[6],"layers.0.moe.experts.2.coefficients":[7],)"
        R"("head.a":[5]}})"
        "\n"
        R"({"step":3,"tokens":3,"loss":null})"
        "\n");
    CHECK(metrics.coefficients ==
          std::map<int64_t, std::vector<double>>{{0, {1, 2.5}}, {10, {3, 4}}});
    CHECK(metrics.val_losses == std::map<std::string, double>{{"a", 1}, {"b", 2}});
    CHECK(metrics.records[0].mfu == 0.5);
    CHECK(!metrics.records[1].mfu);
    CHECK(!metrics.records[2].loss);
}

TEST_CASE_METHOD(Fixture, "metrics: parameters are counted where the config can be read") {
    CHECK(!read(kLine).parameters);
    spit(run / "config.json", R"({"model":{"d_model":8,"layers":1,"heads":2,"vocab_size":11,
        "feed_forward":{"hidden":12}},"data":{"synthetic":true},"train":{"steps":1}})");
    CHECK(read(kLine).parameters == 2 * 11 * 8 + 4 * 8 * 8 + 2 * 8 * 12 + 3 * 8);
}

TEST_CASE_METHOD(Fixture, "metrics: missing files are named") {
    CHECK(thrown_by([&] { read_again(run.path()); }).says("metrics.jsonl"));
    spit(run / "metrics.jsonl", kLine);
    std::filesystem::remove(run / "config.json");
    const Thrown thrown = thrown_by([&] { read_again(run.path()); });
    CHECK(thrown.code == ExitCode::kInputMissing);
    CHECK(thrown.says("config.json"));
}
