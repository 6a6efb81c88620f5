// "extends" and --set.

#include "config/config_files.hpp"

#include "config/support.hpp"

namespace polytrain::config {
namespace {

using Catch::Matchers::Contains;
using testing::ConfigFolder;

TEST_CASE("objects merge and all else is replaced, along a chain of files") {
    const ConfigFolder folder;
    std::filesystem::create_directory(folder.path("bases"));
    folder.write("bases/far.json", R"({"seed": 5, "threads": 1, "train": {"steps": 10, "batch": 4},
        "data": {"train": [{"path": "a"}, {"path": "b"}], "validation": {"x": "x.bin"}}})");
    folder.write("bases/near.json",
                 R"({"extends": "./far.json", "seed": 6, "train": {"batch": 8}})");
    folder.write("run.json", R"({"extends": "bases/near.json", "train": {"eval_every": 2},
        "data": {"train": [{"path": "c"}], "validation": {"y": "y.bin"}}})");
    const RunConfig run = folder.load("run.json");
    CHECK(run.seed == 6);
    CHECK(run.threads == 1);
    CHECK(run.train.steps == 10);
    CHECK(run.train.batch == 8);
    CHECK(run.train.eval_every == 2);
    REQUIRE(run.data.train.size() == 1);
    CHECK(run.data.train[0].path == "c");
    CHECK(run.data.validation ==
          std::map<std::string, std::string>{{"x", "x.bin"}, {"y", "y.bin"}});
}

TEST_CASE("a mistake is blamed on the file that set the value") {
    const ConfigFolder folder;
    folder.write("base.json",
                 "{\"data\": {\"synthetic\": true},\n \"train\": {\"steps\": 0.5},\n"
                 " \"model\": {\"heads\": 3, \"vocab_size\": 7}}");
    folder.write("run.json", "{\"extends\": \"base.json\", \"model\": {\n  \"d_model\": 32}}");
    CHECK(folder.load_failure("run.json") ==
          folder.path("base.json") + ":2:21: train.steps: wants an integer, found 0.5");
    folder.write("fixed.json", "{\"extends\": \"run.json\",\n\"train\": {\"steps\": 1}}");
    CHECK(folder.load_failure("fixed.json") ==
          folder.path("base.json") + ":3:21: model.heads: 3 heads don't divide d_model 32");
    folder.write("again.json", "{\"extends\": \"fixed.json\",\n\"model\": {\"heads\": 5}}");
    CHECK(folder.load_failure("again.json") ==
          folder.path("again.json") + ":2:20: model.heads: 5 heads don't divide d_model 32");
}

TEST_CASE("a base that is missing or broken is told at the extends") {
    const ConfigFolder folder;
    folder.write("run.json", "{\n  \"extends\": \"sub/base.json\"}");
    CHECK_THAT(folder.load_failure("run.json"),
               Catch::Matchers::StartsWith(folder.path("run.json") + ":2:14: extends: " +
                                           folder.path("sub/base.json") + ": cannot open"));
    folder.write("number.json", "{\"extends\": 3}");
    CHECK(folder.load_failure("number.json") ==
          folder.path("number.json") + ":1:13: extends: wants the path of a config, as text");
    folder.write("broken.json", "{\"a\" 1}");
    folder.write("on_broken.json", "{\"extends\": \"broken.json\"}");
    CHECK_THAT(folder.load_failure("on_broken.json"),
               Catch::Matchers::StartsWith(folder.path("broken.json") + ":1:6: not valid JSON"));
    folder.write("list.json", "\n []");
    folder.write("on_list.json", "{\"extends\": \"list.json\"}");
    CHECK(folder.load_failure("on_list.json") ==
          folder.path("list.json") + ":2:2: a config is a JSON object, { ... }");
}

TEST_CASE("extends in a circle names the circle") {
    const ConfigFolder folder;
    folder.write("a.json", "{\"extends\": \"b.json\"}");
    folder.write("b.json", "{\"extends\":\n\"./a.json\"}");
    CHECK(folder.load_failure("a.json") ==
          folder.path("b.json") + ":2:1: extends: goes in a circle: " + folder.path("a.json") +
              " -> " + folder.path("b.json") + " -> " + folder.path("a.json"));
    folder.write("self.json", "{\"extends\": \"self.json\"}");
    CHECK_THAT(folder.load_failure("self.json"), Contains("goes in a circle"));
}

TEST_CASE("extends works at the top of a file only") {
    const ConfigFolder folder;
    folder.write("run.json", "{\"model\": {\"extends\": \"x\"}}");
    CHECK_THAT(folder.load_failure("run.json"), Contains(":1:12: model.extends: unknown key"));
    CHECK(testing::parse_failure("{\"extends\": \"x\"}") ==
          "run.json:1:2: extends: belongs at the top of a config file only");
}

TEST_CASE("a config that is not there is a missing input, one too large a bad config") {
    const ConfigFolder folder;
    CHECK_THAT(folder.load_failure("none.json", ExitCode::kInputMissing), Contains("none.json"));
    folder.write("large.json", "{}" + std::string(kMaxConfigBytes, ' '));
    CHECK_THAT(folder.load_failure("large.json"), Contains("1048576"));
}

TEST_CASE("--set takes JSON, and text for all else") {
    const ConfigFolder folder;
    folder.write("run.json", testing::kMinimal);
    const RunConfig run = folder.load(
        "run.json",
        {"seed=18446744073709551615", "optimizer.lr=3e-4", "model.tied=true",
         "model.feed_forward.activation=relu", "device=\"cpu\"", "data.train.0.path=b=c",
         "data.train.0.weight=2", "data.train.1.path=d", "ops.force.linear=reference",
         "data.validation={\"v\": \"v.bin\"}", "train.steps=5", "train.steps=6"});
    CHECK(run.seed == UINT64_MAX);
    CHECK(run.optimizer.lr == 3e-4);
    CHECK(run.model.tied);
    CHECK(run.model.feed_forward.activation == "relu");
    CHECK(run.device == "cpu");
    CHECK(run.data.train == std::vector<SourceConfig>{{"b=c", 2}, {"d", 1}});
    CHECK(run.ops_force.at("linear") == "reference");
    CHECK(run.data.validation.at("v") == "v.bin");
    CHECK(run.train.steps == 6);
}

TEST_CASE("--set makes a list where none was") {
    const ConfigFolder folder;
    folder.write("run.json", R"({"train": {"steps": 1}})");
    const RunConfig run = folder.load("run.json", {"data.train.0.path=a", "data.train.1.path=b"});
    CHECK(run.data.train == std::vector<SourceConfig>{{"a", 1}, {"b", 1}});
}

TEST_CASE("a malformed --set is a mistake of usage") {
    const ConfigFolder folder;
    folder.write("run.json", testing::kMinimal);
    const auto usage = [&](const std::string& text) {
        return folder.load_failure("run.json", ExitCode::kUsage, {text});
    };
    CHECK_THAT(usage("train.steps"), Contains("--set train.steps: has no '='"));
    CHECK_THAT(usage("=3"), Contains("--set =3: a part of the key is empty"));
    CHECK_THAT(usage("train..steps=3"), Contains("a part of the key is empty"));
    CHECK_THAT(usage("train.steps.=3"), Contains("a part of the key is empty"));
    CHECK_THAT(usage(".seed=3"), Contains("a part of the key is empty"));
    CHECK_THAT(usage("data.train.2.path=x"), Contains("\"2\" should be a number from 0 to 1"));
    CHECK_THAT(usage("data.train.x.path=x"), Contains("\"x\" should be a number from 0 to 1"));
    CHECK_THAT(usage("data.train.99999999999999999999.path=x"), Contains("should be a number"));
    CHECK_THAT(usage("data.train.0.path=\xff"), Contains("is not UTF-8"));
}

TEST_CASE("a wrong value from --set names the --set") {
    const ConfigFolder folder;
    folder.write("run.json", testing::kMinimal);
    const auto bad = [&](const std::string& text) {
        return folder.load_failure("run.json", ExitCode::kBadConfig, {text});
    };
    CHECK(bad("model.heads=four") ==
          "--set model.heads=four: model.heads: wants an integer, found text \"four\"");
    CHECK(bad("optimizer.lr=NaN") ==
          "--set optimizer.lr=NaN: optimizer.lr: wants a number, found text \"NaN\"");
    CHECK(bad("model.haeds=4") ==
          "--set model.haeds=4: model.haeds: unknown key; did you mean \"heads\"?");
    CHECK(bad("seed.x=4") == "--set seed.x=4: seed: wants an integer, found an object");
    CHECK(bad("model={\"heads\": 0}") ==
          "--set model={\"heads\": 0}: model.heads: 0 is out of range; wants an integer 1 to "
          "1048576");
    CHECK(bad("train.micro_batch=3") ==
          "--set train.micro_batch=3: train.micro_batch: 3 doesn't divide batch 16");
    CHECK(bad("extends=x.json") ==
          "--set extends=x.json: extends: belongs at the top of a config file only");
}

}  // namespace
}  // namespace polytrain::config
