// What a key may be: unknown, of the wrong type, out of range, none of the choices, not there yet.

#include "config/support.hpp"

namespace polytrain {
namespace {

using testing::parse_failure;

// The failure of one line of a config; the line is the third.
std::string line_failure(const std::string& line) {
    return parse_failure("{\n\"data\": {\"synthetic\": true},\n" + line + "}");
}

TEST_CASE("every key reaches its member") {
    const RunConfig run = testing::parse(R"({
        "seed": 7, "device": "cpu", "precision": "bf16", "threads": 3,
        "model": {"d_model": 96, "layers": 5, "heads": 6, "kv_heads": 3, "context": 33,
                  "vocab_size": 300, "qk_norm": "head", "tied": true, "rope_theta": 5e5,
                  "norm_eps": 1e-6, "z_loss": 1e-4,
                  "init": {"std": 0.01, "cut": 3, "depth_scaled": false},
                  "feed_forward": {"activation": "polyrelu", "order": 2, "gated": true,
                                   "hidden": 77},
                  "moe": {"experts": 6, "top_k": 3, "hidden": 44, "shared_hidden": 55,
                          "coefficients": "expert", "renormalise": true, "balance": 0.2,
                          "z_loss": 0.3, "loss_form": "olmoe", "scope": "global",
                          "bias_rate": 0.4}},
        "data": {"train": [{"path": "a"}, {"path": "b", "weight": 0.5}],
                 "validation": {"v": "v.bin"}, "tokenizer": "bytes", "synthetic": false},
        "train": {"steps": 11, "tokens": 12345, "seconds": 13.5, "batch": 14, "micro_batch": 7,
                  "recompute": "block", "eval_every": 15, "eval_sequences": 16,
                  "checkpoint_every": 17, "log_every": 18, "keep_last": 19, "keep_every": 20,
                  "checkpoint_failure": "continue",
                  "spike_guard": {"loss_z": 21, "grad_z": 22, "window": 23}},
        "optimizer": {"lr": 0.1, "beta1": 0.2, "beta2": 0.3, "eps": 0.4, "weight_decay": 0.5,
                      "decay_embeddings": true, "decay_gains": true,
                      "clip": 0.6,
                      "schedule": {"kind": "wsd", "warmup_steps": 1, "final_ratio": 0.7,
                                   "warmup_ratio": 0.8, "decay_steps": 2, "steps": 9}},
        "parallel": {"expert": 2, "expert_rows": 5000000, "sharding": 1, "reduction": "exact",
                     "timeout_s": 9},
        "ops": {"force": {"linear": "reference"}}})");
    RunConfig expected;
    expected.seed = 7;
    expected.device = "cpu";
    expected.precision = "bf16";
    expected.threads = 3;
    expected.model = {.d_model = 96,
                      .layers = 5,
                      .heads = 6,
                      .kv_heads = 3,
                      .context = 33,
                      .vocab_size = 300,
                      .qk_norm = "head",
                      .tied = true,
                      .rope_theta = 5e5,
                      .norm_eps = 1e-6,
                      .z_loss = 1e-4,
                      .init = {.std = 0.01, .cut = 3, .depth_scaled = false},
                      .feed_forward = {"polyrelu", 2, true, 77},
                      .moe = {6, 3, 44, 55, "expert", true, 0.2, 0.3, "olmoe", "global", 0.4}};
    expected.parallel = {2, 1, "exact", 5000000, 9};
    expected.data = {{{"a", 1}, {"b", 0.5}}, {{"v", "v.bin"}}, "bytes", false};
    expected.train = {.steps = 11,
                      .tokens = 12345,
                      .seconds = 13.5,
                      .batch = 14,
                      .micro_batch = 7,
                      .recompute = "block",
                      .eval_every = 15,
                      .eval_sequences = 16,
                      .checkpoint_every = 17,
                      .log_every = 18,
                      .keep_last = 19,
                      .keep_every = 20,
                      .checkpoint_failure = "continue",
                      .spike_guard = {21, 22, 23}};
    expected.optimizer = {.lr = 0.1,
                          .beta1 = 0.2,
                          .beta2 = 0.3,
                          .eps = 0.4,
                          .weight_decay = 0.5,
                          .decay_embeddings = true,
                          .decay_gains = true,
                          .clip = 0.6,
                          .schedule = {"wsd", 1, 0.7, 0, 0.8, 2, 0, 9, 0}};
    expected.ops_force = {{"linear", "reference"}};
    CHECK(run == expected);
}

TEST_CASE("an integer may be written with a point or an exponent if it is one") {
    const auto steps = [](const std::string& text) {
        return testing::parse(
                   "{\"data\": {\"synthetic\": true}, \"model\": {\"vocab_size\": 9},"
                   "\"train\": {\"steps\": " +
                   text + "}}")
            .train.steps;
    };
    CHECK(steps("1000") == 1000);
    CHECK(steps("1e3") == 1000);
    CHECK(steps("1000.0") == 1000);
    CHECK(steps("12.5e1") == 125);
    CHECK(line_failure("\"train\": {\"steps\": 1.5}") ==
          "run.json:3:20: train.steps: wants an integer, found 1.5");
}

TEST_CASE("seeds have 64 bits") {
    const auto seed = [](const std::string& text) {
        return testing::parse("{\"seed\": " + text + ", " + (testing::kMinimal + 1)).seed;
    };
    CHECK(seed("0") == 0);
    CHECK(seed("18446744073709551615") == UINT64_MAX);
    CHECK(seed("1e19") == 10000000000000000000u);
    CHECK(line_failure("\"seed\": 18446744073709551616") ==
          "run.json:3:9: seed: 1.8446744073709552e+19 is too large");
    CHECK(line_failure("\"seed\": -1") ==
          "run.json:3:9: seed: -1 is out of range; wants an integer >= 0");
}

TEST_CASE("an unknown key gets the nearest, or the right section") {
    CHECK(
        line_failure("\"model\": {\"feed_forward\": {\"activatoin\": 1}}") ==
        "run.json:3:28: model.feed_forward.activatoin: unknown key; did you mean \"activation\"?");
    CHECK(line_failure("\"sede\": 1") == "run.json:3:1: sede: unknown key; did you mean \"seed\"?");
    CHECK(line_failure("\"optimizer\": {\"beta3\": 1}") ==
          "run.json:3:15: optimizer.beta3: unknown key; did you mean \"beta1\" or \"beta2\"?");
    CHECK(line_failure("\"model\": {\"D_Model\": 1}") ==
          "run.json:3:11: model.D_Model: unknown key; did you mean \"d_model\"?");
    CHECK(line_failure("\"train\": {\"lr\": 1}") ==
          "run.json:3:11: train.lr: unknown key; did you mean \"optimizer.lr\"?");
    CHECK(line_failure("\"warmup_step\": 1") ==
          "run.json:3:1: warmup_step: unknown key; did you mean "
          "\"optimizer.schedule.warmup_steps\"?");
    CHECK(line_failure("\"model\": {\"train\": 1}") ==
          "run.json:3:11: model.train: unknown key; did you mean \"data.train\" or \"train\"?");
    CHECK(line_failure("\"xyzzy\": 1") == "run.json:3:1: xyzzy: unknown key");
    CHECK(line_failure("\"a\\n\\u001bb\": 1") == "run.json:3:1: a\\n\\u001bb: unknown key");
    CHECK(parse_failure("{\"data\": {\"train\": [{\"path\": \"a\"},\n{\"paht\": \"b\"}]}}") ==
          "run.json:2:1: data.train.1: has no \"path\"\n"
          "run.json:2:2: data.train.1.paht: unknown key; did you mean \"path\"?");
}

TEST_CASE("a wrong type says what was found and what is wanted") {
    struct Case {
        const char* line;
        const char* message;
    };
    const auto [line, message] = GENERATE(values<Case>({
        {"\"seed\": \"1\"", "run.json:3:9: seed: wants an integer, found text \"1\""},
        {"\"seed\": true", "run.json:3:9: seed: wants an integer, found true"},
        {"\"seed\": null", "run.json:3:9: seed: wants an integer, found null"},
        {"\"seed\": [1]", "run.json:3:9: seed: wants an integer, found a list"},
        {"\"seed\": {}", "run.json:3:9: seed: wants an integer, found an object"},
        {"\"model\": 3", "run.json:3:10: model: wants an object, found 3"},
        {"\"optimizer\": {\"lr\": \"1e-3\"}",
         "run.json:3:21: optimizer.lr: wants a number, found text \"1e-3\""},
        {"\"model\": {\"tied\": 1}", "run.json:3:19: model.tied: wants true or false, found 1"},
        {"\"device\": false", "run.json:3:11: device: wants text, found false"},
        {"\"parallel\": {\"expert\": \"1\"}",
         "run.json:3:24: parallel.expert: wants an integer, found text \"1\""},
        {"\"ops\": {\"force\": [\"x\"]}",
         "run.json:3:18: ops.force: wants an object of texts, found a list"},
        {"\"ops\": {\"force\": {\"x\": 1}}", "run.json:3:24: ops.force.x: wants text, found 1"},
        {"\"ops\": {\"force\": {\"x\": \"\"}}", "run.json:3:24: ops.force.x: is empty"},
        {"\"ops\": {\"force\": {\"\": \"x\"}}", "run.json:3:19: ops.force: has an empty name"},
    }));
    CHECK(line_failure(line) == message);
    CHECK(parse_failure("{\"data\": {\"train\": \"a\"}}") ==
          "run.json:1:20: data.train: wants a list of objects, found text \"a\"");
    CHECK(parse_failure("{\"data\": {\"train\": [{\"path\": \"a\"}, \"b\"]}}") ==
          "run.json:1:36: data.train.1: wants an object, found text \"b\"");
    CHECK(parse_failure("{\"data\": {\"train\": [{\"path\": \"\"}]}}") ==
          "run.json:1:30: data.train.0.path: is empty");
    CHECK(parse_failure("{\"eval\": {\"tasks\": [{\"name\": \"\", \"path\": \"\"}]}}") ==
          "run.json:1:42: eval.tasks.0.path: is empty");
    CHECK(parse_failure("\n[]") == "run.json:2:1: a config is a JSON object, { ... }");
}

TEST_CASE("a value out of range says the range") {
    struct Case {
        const char* line;
        const char* message;
    };
    const auto [line, message] = GENERATE(values<Case>({
        {"\"model\": {\"order\": 1, \"feed_forward\": {\"order\": 9}}",
         "run.json:3:11: model.order: unknown key; did you mean \"model.feed_forward.order\"?\n"
         "run.json:3:49: model.feed_forward.order: 9 is out of range; wants an integer 1 to 8"},
        {"\"model\": {\"norm_eps\": 0}",
         "run.json:3:23: model.norm_eps: 0 is out of range; wants a number 1e-30 to 1"},
        {"\"optimizer\": {\"beta1\": 1}",
         "run.json:3:24: optimizer.beta1: 1 is out of range; wants a number >= 0 and < 1"},
        {"\"optimizer\": {\"beta1\": -0.1}",
         "run.json:3:24: optimizer.beta1: -0.1 is out of range; wants a number >= 0 and < 1"},
        {"\"optimizer\": {\"schedule\": {\"final_ratio\": 1.01}}",
         "run.json:3:43: optimizer.schedule.final_ratio: 1.01 is out of range; wants a number 0 to "
         "1"},
        {"\"threads\": -1",
         "run.json:3:12: threads: -1 is out of range; wants an integer 0 to 4096"},
        {"\"threads\": 1e300",
         "run.json:3:12: threads: 1e+300 is out of range; wants an integer 0 to 4096"},
    }));
    CHECK(line_failure(line) == message);
}

TEST_CASE("a value that is none of the choices gets the nearest") {
    CHECK(line_failure("\"device\": \"cpuu\"") ==
          "run.json:3:11: device: \"cpuu\" is none of \"auto\", \"cpu\", \"cuda\"; did you mean "
          "\"cpu\"?");
    CHECK(
        line_failure("\"model\": {\"feed_forward\": {\"activation\": \"polynrm\"}}") ==
        "run.json:3:42: model.feed_forward.activation: \"polynrm\" is none of \"relu\", \"gelu\", "
        "\"silu\", \"polyrelu\", \"polynorm\", \"swiglu\", \"geglu\", \"reglu\"; did you mean "
        "\"polynorm\"?");
    CHECK(line_failure("\"optimizer\": {\"schedule\": {\"kind\": \"plateau\"}}") ==
          "run.json:3:36: optimizer.schedule.kind: \"plateau\" is none of \"cosine\", "
          "\"linear\", \"constant\", \"wsd\"");
}

TEST_CASE("what makes no sense for experts and ranks is refused") {
    struct Case {
        const char* line;
        const char* message;
    };
    const auto [line, message] = GENERATE(values<Case>({
        {"\"parallel\": {\"sharding\": 3}",
         "run.json:3:26: parallel.sharding: 3 is out of range; wants an integer 0 to 2"},
        {"\"parallel\": {\"expert\": 0}",
         "run.json:3:24: parallel.expert: 0 is out of range; wants an integer 1 to 1048576"},
        {"\"model\": {\"context\": 64, \"moe\": {\"experts\": 4}}, \"train\": {\"steps\": 1, "
         "\"batch\": 2, \"micro_batch\": 2}, "
         "\"parallel\": {\"expert\": 2, \"expert_rows\": 100}",
         "run.json:3:144: parallel.expert_rows: 100 rows are fewer than the 128 tokens of a "
         "micro-batch, which may "
         "all choose one expert"},
        {"\"parallel\": {\"expert\": 2}",
         "run.json:3:24: parallel.expert: 2 ranks can't share out experts: the model has none"},
        {"\"model\": {\"moe\": {\"top_k\": 2}}",
         "run.json:3:18: model.moe: has no number of experts; set model.moe.experts above 0"},
        {"\"model\": {\"moe\": {\"experts\": 4, \"top_k\": 5}}",
         "run.json:3:42: model.moe.top_k: the top 5 of 4 experts"},
        {"\"model\": {\"moe\": {\"experts\": 4}}, \"parallel\": {\"expert\": 3}",
         "run.json:3:58: parallel.expert: 3 ranks don't divide 4 experts"},
        {"\"model\": {\"moe\": {\"experts\": 4, \"top_k\": 1, \"renormalise\": true}}",
         "run.json:3:60: model.moe.renormalise: would make the weight of the one expert of a token "
         "always 1, so that the router learns nothing from the loss; set top_k above 1, or this to "
         "false"},
        {"\"model\": {\"moe\": {\"experts\": 4, \"scope\": \"micro_dp\"}}, "
         "\"parallel\": {\"reduction\": \"exact\"}",
         "run.json:3:82: parallel.reduction: exact results can't be had with model.moe.scope "
         "\"micro_dp\", which depends on the number of ranks; use \"micro\" or \"global\""},
        {"\"train\": {\"steps\": 1, \"batch\": 6, \"micro_batch\": 2}, "
         "\"parallel\": {\"reduction\": \"exact\"}",
         "run.json:3:80: parallel.reduction: exact reduction wants a power of two of "
         "micro-batches; "
         "batch 6 makes 3 of 2"},
    }));
    const std::string rest = std::string(line).find("\"train\"") == std::string::npos
                                 ? ",\n\"train\": {\"steps\": 1}"
                                 : "";
    CHECK(parse_failure("{\n\"data\": {\"train\": [{\"path\": \"a.bin\"}]},\n" + std::string(line) +
                        rest + "}") == message);
}

TEST_CASE("several mistakes come at once, in the order of the file") {
    CHECK(parse_failure("{\"model\": {\"heads\": 0,\n\"x\": 1},\n\"seed\": -1}") ==
          "run.json:1:21: model.heads: 0 is out of range; wants an integer 1 to 1048576\n"
          "run.json:2:1: model.x: unknown key\n"
          "run.json:3:9: seed: -1 is out of range; wants an integer >= 0");
    std::string many = "{";
    for (int i = 0; i < 50; ++i) many += "\"x" + std::to_string(i) + "\": 1,\n";
    const std::string message = parse_failure(many + "\"y\": 1}");
    CHECK(std::count(message.begin(), message.end(), '\n') == 10);
    CHECK_THAT(message, Catch::Matchers::EndsWith("run.json:10:1: x9: unknown key\n"
                                                  "(there may be more)"));
}

}  // namespace
}  // namespace polytrain
