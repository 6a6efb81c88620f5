#include "config/load.hpp"
#include "config/shrink.hpp"
#include "config/support.hpp"

namespace polytrain {
namespace {

using testing::parse;

const char* const kLarge = R"({
    "precision": "bf16", "seed": 7,
    "model": {"d_model": 2048, "layers": 16, "heads": 16, "kv_heads": 4, "context": 4096,
              "vocab_size": 50304, "qk_norm": "full", "norm_eps": 1e-6,
              "feed_forward": {"activation": "polynorm", "order": 4, "hidden": 1536},
              "moe": {"experts": 64, "top_k": 8, "shared_hidden": 512, "loss_form": "olmoe"}},
    "data": {"train": [{"path": "nowhere.bin"}], "tokenizer": "nowhere.json",
             "repetition_filter": true},
    "train": {"tokens": 201e9, "batch": 1024, "micro_batch": 4, "recompute": "block",
              "eval_every": 1000, "seconds": 100},
    "eval": {"tasks": [{"path": "nowhere/copa.jsonl"}]},
    "optimizer": {"lr": 4e-4, "schedule": {"warmup_tokens": 100e9, "tokens": 402e9}},
    "parallel": {"expert": 8, "sharding": 1, "expert_rows": 100000}})";

TEST_CASE("shrunk: sizes get small, in proportion, and all else stays") {
    const RunConfig large = parse(kLarge), small = shrunk(large, 2);
    CHECK(small.model.d_model == 64);
    CHECK(small.model.heads == 4);
    CHECK(small.model.kv_heads == 1);
    CHECK(small.model.layers == 2);
    CHECK(small.model.context == 64);
    CHECK(small.model.vocab_size == 512);
    CHECK(small.model.feed_forward.hidden == 48);
    CHECK(small.model.moe.hidden == 48);
    CHECK(small.model.moe.shared_hidden == 16);
    CHECK(small.model.moe.experts == 8);
    CHECK(small.model.moe.top_k == 2);
    CHECK(small.data.synthetic);
    CHECK(small.data.train.empty());
    CHECK(small.train.steps == 3);
    CHECK(small.train.tokens == 0);
    CHECK(small.train.seconds == 0);
    CHECK(small.train.batch == 4);
    CHECK(shrunk(large, 3).train.batch == 6);  // what three ranks take at once
    CHECK(shrunk(large, 16).train.batch == 32);
    CHECK(small.train.micro_batch == 2);
    CHECK(small.train.eval_every == 3);
    CHECK(small.eval.tasks.empty());
    // Twice the run, of which the warm-up is half.
    CHECK(small.optimizer.schedule.steps == 6);
    CHECK(small.optimizer.schedule.warmup_steps == 1);
    CHECK(small.optimizer.schedule.tokens == 0);
    CHECK(small.optimizer.schedule.warmup_tokens == 0);
    CHECK(small.parallel.expert == 2);
    CHECK(shrunk(large, 1).parallel.expert == 1);
    CHECK(shrunk(large, 3).parallel.expert == 1);
    CHECK(shrunk(large, 16).parallel.expert == 8);
    CHECK(small.parallel.expert_rows == 2 * 64);
    CHECK(small.precision == "auto");

    CHECK(small.seed == 7);
    CHECK(small.model.qk_norm == "full");
    CHECK(small.model.norm_eps == 1e-6);
    CHECK(small.model.feed_forward.order == 4);
    CHECK(small.model.moe.loss_form == "olmoe");
    CHECK(small.train.recompute == "block");
    CHECK(small.optimizer.lr == 4e-4);
    CHECK(small.parallel.sharding == 1);
    CHECK(small.data.repetition_filter);
    // It is a config that can be read.
    CHECK(parse(emit_config(small, testing::small_catalog())).train.steps == 3);
}

TEST_CASE("shrunk: what is small already stays, and a schedule has room for its parts") {
    const RunConfig small = shrunk(parse(R"({
        "model": {"d_model": 24, "layers": 1, "heads": 6, "context": 9, "vocab_size": 300,
                  "feed_forward": {"hidden": 10}},
        "data": {"synthetic": true},
        "train": {"steps": 10, "batch": 2, "micro_batch": 1},
        "optimizer": {"schedule": {"kind": "wsd", "warmup_steps": 5, "decay_steps": 5}}})"),
                                   1);
    CHECK(small.model.d_model == 24);
    CHECK(small.model.heads == 6);
    CHECK(small.model.layers == 1);
    CHECK(small.model.context == 9);
    CHECK(small.model.vocab_size == 300);
    CHECK(small.model.feed_forward.hidden == 10);
    CHECK(small.train.micro_batch == 1);
    CHECK(small.train.batch == 2);
    CHECK(small.optimizer.schedule.warmup_steps == 2);
    CHECK(small.optimizer.schedule.decay_steps == 1);
}

}  // namespace
}  // namespace polytrain
