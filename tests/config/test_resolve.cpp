// What no key can check alone, and what follows from other keys.

#include "config/support.hpp"

namespace polytrain {
namespace {

using testing::parse;
using testing::parse_failure;

// A valid config with more members on its second line; "train" and "data" are on the third.
std::string with(const std::string& members) {
    return "{\n" + members +
           ",\n\"train\": {\"steps\": 10, \"batch\": 12}, \"data\": {\"train\": [{\"path\": "
           "\"a\"}]}}";
}

std::string with_failure(const std::string& members) {
    return parse_failure(with(members));
}

TEST_CASE("what is left open follows from other keys") {
    const RunConfig run = parse(testing::kMinimal);
    CHECK(run.model.kv_heads == run.model.heads);
    CHECK(run.train.micro_batch == run.train.batch);
    CHECK(run.model.vocab_size == 256);
    CHECK_FALSE(run.model.feed_forward.gated);
    CHECK(run.model.feed_forward.hidden == 4 * run.model.d_model);
}

TEST_CASE("the hidden width of a gated feed-forward is 8/3 d_model, rounded up to 32") {
    const auto hidden = [](int64_t d_model, const std::string& rest) {
        return parse(with("\"model\": {\"heads\": 1, \"d_model\": " + std::to_string(d_model) +
                          ", \"feed_forward\": {" + rest + "}}"))
            .model.feed_forward;
    };
    CHECK(hidden(768, "\"gated\": true").hidden == 2048);
    CHECK(hidden(128, "\"gated\": true").hidden == 352);
    CHECK(hidden(12, "\"gated\": true").hidden == 32);
    CHECK(hidden(14, "\"gated\": true").hidden == 64);
    CHECK(hidden(128, "\"activation\": \"swiglu\"").hidden == 352);
    CHECK(hidden(128, "\"gated\": false").hidden == 512);
    CHECK(hidden(128, "\"gated\": true, \"hidden\": 5").hidden == 5);
}

TEST_CASE("sizes that no machine has are refused before they overflow") {
    const std::string wide = with_failure(
        "\"model\": {\"d_model\": 1048576, \"heads\": 1024, \"layers\": 65536, \"context\": "
        "16777216}");
    CHECK_THAT(wide, ContainsSubstring("train.batch") || ContainsSubstring("model.context"));
    CHECK_THAT(wide, ContainsSubstring("more than any memory holds"));
    CHECK_THAT(wide, ContainsSubstring("65536 layers"));
}

TEST_CASE("named gated forms are gated, and can't be told otherwise") {
    for (const std::string name : {"swiglu", "geglu", "reglu"}) {
        const std::string head = "\"model\": {\"feed_forward\": {\"activation\": \"" + name + "\"";
        CHECK(parse(with(head + "}}")).model.feed_forward.gated);
        CHECK(parse(with(head + ", \"gated\": true}}")).model.feed_forward.gated);
        CHECK_THAT(with_failure(head + ",\n\"gated\": false}}"),
                   Catch::Matchers::StartsWith("run.json:3:10: model.feed_forward.gated: is false, "
                                               "but " +
                                               name + " is gated "));
    }
}

TEST_CASE("heads divide d_model into even widths") {
    CHECK(with_failure("\"model\": {\"d_model\": 128, \"heads\": 3}") ==
          "run.json:2:36: model.heads: 3 heads don't divide d_model 128");
    CHECK(with_failure("\"model\": {\"d_model\": 130}") ==
          "run.json:2:22: model.d_model: 4 heads don't divide d_model 130");
    CHECK(with_failure("\"model\": {\"d_model\": 36, \"heads\": 4}") ==
          "run.json:2:35: model.heads: d_model 36 over 4 heads makes heads of width 9; rotary "
          "positions want an even width");
    CHECK(with_failure("\"model\": {\"heads\": 4, \"kv_heads\": 3}") ==
          "run.json:2:35: model.kv_heads: 3 kv_heads don't divide 4 heads");
    CHECK(with_failure("\"model\": {\"kv_heads\": 8}") ==
          "run.json:2:23: model.kv_heads: 8 kv_heads don't divide 4 heads");
    CHECK(parse(with("\"model\": {\"kv_heads\": 2}")).model.kv_heads == 2);
}

TEST_CASE("the order is one that the activation has") {
    const auto order = [](const std::string& name, int value) {
        return with("\"model\": {\"feed_forward\": {\"order\": " + std::to_string(value) +
                    ", \"activation\": \"" + name + "\"}}");
    };
    CHECK_NOTHROW(parse(order("polynorm", 4)));
    CHECK(parse_failure(order("polynorm", 5)) ==
          "run.json:2:37: model.feed_forward.order: order 5 is out of range; polynorm has orders 1 "
          "to 4");
    CHECK_NOTHROW(parse(order("polyrelu", 8)));
    CHECK_NOTHROW(parse(order("relu", 8)));
}

TEST_CASE("a default activation that the build lacks is told") {
    const std::string message = testing::failure(ExitCode::kBadConfig, [] {
        parse_config_text(testing::kMinimal, "run.json", ActivationCatalog());
    });
    CHECK(
        message ==
        "run.json:1:1: model.feed_forward.activation: there is no activation \"polynorm\" in this "
        "build");
}

TEST_CASE("micro_batch divides batch") {
    CHECK(parse_failure(R"({"data": {"train": [{"path": "a"}]},
"train": {"steps": 1, "batch": 12, "micro_batch": 5}})") ==
          "run.json:2:51: train.micro_batch: 5 doesn't divide batch 12");
    CHECK(parse_failure(R"({"data": {"train": [{"path": "a"}]},
"train": {"steps": 1, "micro_batch": 32}})") ==
          "run.json:2:38: train.micro_batch: 32 doesn't divide batch 16");
}

TEST_CASE("a run must end, by any of three limits") {
    const std::string data = "{\"data\": {\"train\": [{\"path\": \"a\"}]}";
    const std::string what =
        "train: would never end; set at least one of train.steps, train.tokens and train.seconds "
        "above 0";
    CHECK(parse_failure(data + "}") == "run.json:1:1: " + what);
    CHECK(parse_failure(data + ",\n\"train\": {\"steps\": 0}}") == "run.json:2:10: " + what);
    CHECK_NOTHROW(parse(data + ", \"train\": {\"steps\": 1}}"));
    CHECK_NOTHROW(parse(data + ", \"train\": {\"tokens\": 1}}"));
    CHECK_NOTHROW(parse(data + ", \"train\": {\"seconds\": 0.5}}"));
}

TEST_CASE("a model may be used without data to train on and an end of it") {
    const RunConfig config = parse_config_text(R"({"model": {"vocab_size": 300}})", "run.json",
                                               testing::small_catalog(), ConfigUse::kModel);
    CHECK(config.data.train.empty());
    CHECK(config.train.steps == 0);
    CHECK(parse_config_text(emit_config(config, testing::small_catalog()), "again.json",
                            testing::small_catalog(), ConfigUse::kModel) == config);
}

TEST_CASE("there are files to train on or else synthetic data, not both") {
    const std::string nothing =
        "there is nothing to train on; list token files, or set data.synthetic";
    CHECK(parse_failure("{\"train\": {\"steps\": 1}}") == "run.json:1:1: data.train: " + nothing);
    CHECK(parse_failure("{\"train\": {\"steps\": 1},\n\"data\": {}}") ==
          "run.json:2:9: data: " + nothing);
    CHECK(parse_failure("{\"train\": {\"steps\": 1},\n\"data\": {\"train\": []}}") ==
          "run.json:2:19: data.train: " + nothing);
    CHECK(parse_failure("{\"train\": {\"steps\": 1}, \"model\": {\"vocab_size\": 9},\n"
                        "\"data\": {\"train\": [{\"path\": \"a\"}], \"synthetic\": true}}") ==
          "run.json:2:49: data.synthetic: is true, but data.train lists files; choose one");
}

TEST_CASE("the vocabulary holds the tokenizer's") {
    CHECK(with_failure("\"model\": {\"vocab_size\": 255}") ==
          "run.json:2:25: model.vocab_size: 255 is less than the 256 of tokenizer \"bytes\"");
    CHECK(parse(with("\"model\": {\"vocab_size\": 300}")).model.vocab_size == 300);
    const std::string synthetic = "{\"train\": {\"steps\": 1},\n\"data\": {\"synthetic\": true}";
    CHECK(parse_failure(synthetic + "}") ==
          "run.json:2:23: data.synthetic: synthetic data has no tokenizer to take "
          "model.vocab_size from; set it");
    CHECK(parse(synthetic + ", \"model\": {\"vocab_size\": 17}}").model.vocab_size == 17);
}

TEST_CASE("warm-up ends before the run does") {
    const std::string head = "\"optimizer\": {\"schedule\": {\"warmup_steps\": ";
    CHECK_NOTHROW(parse(with(head + "10}}")));
    CHECK(with_failure(head + "11}}") ==
          "run.json:2:44: optimizer.schedule.warmup_steps: 11 is more than train.steps, 10");
    // 3 steps of 16 sequences with 128 tokens each.
    const std::string tokens =
        "{\"data\": {\"train\": [{\"path\": \"a\"}]},\n\"train\": {\"tokens\": 4097}, ";
    CHECK_NOTHROW(parse(tokens + head + "3}}}"));
    CHECK_THAT(parse_failure(tokens + head + "4}}}"),
               ContainsSubstring("4 is more than the 3 steps that train.tokens, 4097, makes"));
}

}  // namespace
}  // namespace polytrain
