// The lengths of a schedule: in steps or in tokens, of the run or of its own.

#include "config/support.hpp"

namespace polytrain {
namespace {

using testing::parse;
using testing::parse_failure;

// 10 steps of 12 sequences with 128 tokens: 1,536 tokens a step.
std::string with(const std::string& schedule) {
    return "{\"optimizer\": {\"schedule\": {\n" + schedule +
           "}},\n\"train\": {\"steps\": 10, \"batch\": 12}, \"data\": {\"train\": [{\"path\": "
           "\"a\"}]}}";
}

TEST_CASE("schedule: a length is given in steps or in tokens, not both") {
    CHECK(parse_failure(with("\"warmup_steps\": 1,\n\"warmup_tokens\": 1")) ==
          "run.json:3:18: optimizer.schedule.warmup_tokens: is set, and so is "
          "optimizer.schedule.warmup_steps; choose one");
    CHECK(parse_failure(with("\"kind\": \"wsd\", \"decay_tokens\": 1,\n\"decay_steps\": 1")) ==
          "run.json:2:32: optimizer.schedule.decay_tokens: is set, and so is "
          "optimizer.schedule.decay_steps; choose one");
    CHECK(parse_failure(with("\"tokens\": 1,\n\"steps\": 1")) ==
          "run.json:2:11: optimizer.schedule.tokens: is set, and so is optimizer.schedule.steps; "
          "choose one");
}

TEST_CASE("schedule: wsd has a last part and an end, and nothing else has") {
    CHECK(parse_failure(with("\"kind\": \"wsd\"")) ==
          "run.json:2:9: optimizer.schedule.kind: \"wsd\" needs decay_steps or decay_tokens, the "
          "length of its last part");
    CHECK(parse_failure(with("\"decay_tokens\": 3")) ==
          "run.json:2:17: optimizer.schedule.decay_tokens: only the schedule \"wsd\" has it; this "
          "one is \"cosine\"");
    CHECK_THAT(parse_failure(R"({"data": {"train": [{"path": "a"}]}, "train": {"seconds": 1},
"optimizer": {"schedule": {"kind": "wsd", "decay_steps": 1}}})"),
               ContainsSubstring("run.json:2:36: optimizer.schedule.kind: \"wsd\" needs an end"));
    CHECK_NOTHROW(parse(R"({"data": {"train": [{"path": "a"}]}, "train": {"seconds": 1},
"optimizer": {"schedule": {"kind": "wsd", "decay_steps": 1, "tokens": 1}}})"));
    CHECK_NOTHROW(parse(with("\"kind\": \"wsd\", \"warmup_steps\": 4, \"decay_steps\": 6")));
    CHECK(parse_failure(with("\"kind\": \"wsd\", \"warmup_steps\": 4, \"decay_steps\": 7")) ==
          "run.json:2:50: optimizer.schedule.decay_steps: 7 after a warm-up of 4 steps is more "
          "than train.steps, 10");
}

TEST_CASE("schedule: the warm-up fits, by the schedule's own length where it has one") {
    CHECK_NOTHROW(parse(with("\"warmup_tokens\": 15360")));
    CHECK(parse_failure(with("\"warmup_tokens\": 15361")) ==
          "run.json:2:18: optimizer.schedule.warmup_tokens: 15361 (11 steps) is more than "
          "train.steps, 10");
    CHECK_NOTHROW(parse(with("\"warmup_steps\": 12, \"steps\": 12")));
    CHECK_THAT(parse_failure(with("\"warmup_steps\": 4, \"steps\": 3")),
               ContainsSubstring("4 is more than optimizer.schedule.steps, 3"));
    CHECK_THAT(parse_failure(with("\"warmup_steps\": 3, \"tokens\": 3072")),
               ContainsSubstring("3 is more than the 2 steps that optimizer.schedule.tokens, 3072, "
                                 "makes"));
}

}  // namespace
}  // namespace polytrain
