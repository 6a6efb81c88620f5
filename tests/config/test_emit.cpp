// A resolved config as text, and back; differences between two.

#include <nlohmann/json.hpp>

#include "config/support.hpp"

namespace polytrain {
namespace {

using testing::parse;
using testing::small_catalog;

RunConfig unusual_config() {
    RunConfig run = parse(testing::kMinimal);
    run.seed = UINT64_MAX;
    run.model.norm_eps = 1.0 / 3.0 * 1e-5;
    run.model.rope_theta = 5e5;
    run.model.feed_forward = {"swiglu", 1, true, 100};
    run.data.train = {{"a \"quoted\" path\n.bin", 0.1}, {"\xc3\xa9.bin", 1e-300}};
    run.data.validation = {{"b", "b.bin"}, {"a.b", "c.bin"}};
    run.train.seconds = 0.1 + 0.2;
    run.train.tokens = 1000000000000000;
    run.eval.tasks = {{"piqa", "piqa.jsonl", "olmo", 5, "train.jsonl", 100},
                      {.path = "requests.jsonl"}};  // a name that the file shall tell
    run.eval.every = 7;
    run.optimizer.lr = 6.02214076e-4;
    run.ops_force = {{"linear", "reference"}, {"attention", "cpu"}};
    return run;
}

TEST_CASE("what is emitted parses back to the same config") {
    for (const RunConfig& run : {parse(testing::kMinimal), unusual_config()}) {
        const std::string text = emit_config(run, small_catalog());
        const RunConfig back = parse(text);
        CHECK(back == run);
        CHECK(emit_config(back, small_catalog()) == text);
    }
}

TEST_CASE("every key is emitted, in the order of the tables") {
    const auto json = nlohmann::ordered_json::parse(emit_config(unusual_config(), small_catalog()));
    const auto names = [](const nlohmann::ordered_json& object) {
        std::string all;
        for (const auto& item : object.items()) all += item.key() + " ";
        return all;
    };
    CHECK(names(json) ==
          "seed device precision threads model data train eval optimizer parallel ops ");
    CHECK(names(json["model"]) ==
          "d_model layers heads kv_heads context vocab_size qk_norm tied rope_theta norm_eps "
          "z_loss init feed_forward moe ");
    CHECK(names(json["model"]["moe"]) ==
          "experts top_k hidden shared_hidden coefficients renormalise balance z_loss loss_form "
          "scope bias_rate ");
    CHECK(names(json["model"]["init"]) == "std cut depth_scaled ");
    CHECK(names(json["model"]["feed_forward"]) == "activation order gated hidden ");
    CHECK(names(json["data"]) ==
          "train validation tokenizer synthetic repetition_filter allow_changed ");
    CHECK(names(json["data"]["train"][1]) == "path weight format dtype ");
    CHECK(names(json["train"]) ==
          "steps tokens seconds batch micro_batch recompute cuda_graph eval_every "
          "eval_sequences "
          "checkpoint_every checkpoint_background keep_last keep_every checkpoint_failure "
          "spike_guard log_every "
          "tensorboard ");
    CHECK(names(json["eval"]) == "tasks every batch_tokens ");
    CHECK(names(json["eval"]["tasks"][0]) == "name path dialect shots examples limit ");
    CHECK(names(json["optimizer"]) ==
          "lr beta1 beta2 eps weight_decay decay_embeddings decay_gains clip schedule ");
    CHECK(names(json["optimizer"]["schedule"]) ==
          "kind warmup_steps warmup_tokens warmup_ratio decay_steps decay_tokens final_ratio steps "
          "tokens ");
    CHECK(names(json["parallel"]) == "expert expert_rows sharding reduction timeout_s ");
    CHECK(names(json["ops"]) == "force ");
    CHECK(json["model"]["qk_norm"] == "none");
    CHECK(json["data"]["train"][1]["weight"] == 1e-300);
    CHECK(json["ops"]["force"]["attention"] == "cpu");
}

TEST_CASE("differences come one a line, in the order of the tables") {
    const RunConfig a = parse(testing::kMinimal);
    CHECK(config_differences(a, a, small_catalog()).empty());
    RunConfig b = a;
    b.optimizer.lr = 0.002;
    b.seed = 2;
    b.model.tied = true;
    b.data.train = {{"b.bin", 1}, {"c.bin", 2}};
    b.ops_force = {{"linear", "reference"}};
    const std::string added =
        "data.train.1: (none) -> "
        "{\"path\":\"c.bin\",\"weight\":2.0,\"format\":\"auto\",\"dtype\":\"auto\"}";
    CHECK(config_differences(a, b, small_catalog()) ==
          std::vector<std::string>{
              "seed: 1 -> 2",
              "model.tied: false -> true",
              "data.train.0.path: \"a.bin\" -> \"b.bin\"",
              added,
              "optimizer.lr: 0.001 -> 0.002",
              "ops.force.linear: (none) -> \"reference\"",
          });
    CHECK(config_differences(b, a, small_catalog())[5] ==
          "ops.force.linear: \"reference\" -> (none)");
}

}  // namespace
}  // namespace polytrain
