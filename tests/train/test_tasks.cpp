// Tasks that are asked while a model trains.

#include "eval/task_report.hpp"
#include "support/damage.hpp"
#include "support/thrown.hpp"
#include "train/event_files.hpp"
#include "train/task_evaluation.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

struct Asked {
    TempFolder folder;
    RunConfig config = tiny_config();

    Asked() {
        std::string tokens;
        for (int i = 0; i < 4000; ++i) tokens += "the lazy dog ran. "[i % 18];
        spit(folder / "tokens.npy", wide(tokens));
        spit(folder / "toy.jsonl",
             R"({"query": "the", "choices": ["lazy", "quick"], "gold": 0})"
             "\n"
             R"({"query": "the lazy", "choices": ["cat", "dog", "hen"], "gold": 1})"
             "\n"
             R"({"query": "ran", "choices": ["zzz", "the"], "gold": 1})");
        config.model.vocab_size = 256;
        config.data.synthetic = false;
        config.data.train = {{folder / "tokens.npy"}};
        config.data.validation = {{"held_out", folder / "tokens.npy"}};
        config.eval.tasks = {{.path = folder / "toy.jsonl"}};
    }
    static std::string wide(const std::string& bytes) {
        std::string ids;
        for (const char c : bytes) ids += {c, '\0'};
        return ids;
    }
    static std::vector<int64_t> steps_with(const std::vector<nlohmann::json>& metrics,
                                           const char* key) {
        std::vector<int64_t> steps;
        for (const auto& line : metrics)
            if (line.contains(key)) steps.push_back(line["step"]);
        return steps;
    }
};

}  // namespace

TEST_CASE_METHOD(Asked, "tasks in training: what the checkpoint answers, in all views") {
    for (const bool has_experts : {false, true})
        for (const char* precision : {"f32", "bf16"}) {
            INFO(precision << (has_experts ? ", experts" : ""));
            config.precision = precision;
            config.model.moe.experts = has_experts ? 4 : 0;
            config.model.moe.top_k = 2;
            config.model.moe.hidden = 24;
            const fs::path run = folder / fmt::format("{}{}", precision, has_experts);
            train_with(config, run, 2);
            const auto metrics = metrics_of(run);
            CHECK(steps_with(metrics, "tasks") == std::vector<int64_t>{5, 10, 15, 20});
            CHECK(steps_with(metrics, "val_loss") == std::vector<int64_t>{5, 10, 15, 20});
            const auto scalars = scalars_of(run / "tensorboard");
            for (const int64_t step : {10, 20}) {
                const Machine machine(2);
                const Checkpoint checkpoint =
                    Checkpoint::open(run / fmt::format("checkpoints/step-{}", step));
                const int64_t rows = task_rows(config, 0);
                const InferenceSession session(config, *machine.backend, machine.ops, checkpoint, 1,
                                               rows, config.model.context);
                const TaskSet tasks(config.eval.tasks, *make_tokenizer("bytes"),
                                    config.model.context, rows);
                const auto results = tasks.evaluate(
                    [&](const PackedSequences& pass) { return session.losses(pass); },
                    *make_local_communicator(), [](int64_t) { return false; });
                const nlohmann::json wanted = tasks_as_json(results.value());
                // The same weights in the same passes: the same bits.
                CHECK(metrics[static_cast<size_t>(step) - 1]["tasks"] == wanted);
                CHECK(wanted["toy"]["questions"] == 3);
                CHECK(scalars.at("tasks/toy/bpb").at(step) == wanted["toy"]["bpb"].get<float>());
            }
        }
}

TEST_CASE_METHOD(Asked, "tasks in training: at their own interval, and training is as without") {
    config.eval.every = 8;
    config.eval.batch_tokens = 64;
    train_with(config, folder / "asked", 2);
    const auto asked = metrics_of(folder / "asked");
    CHECK(steps_with(asked, "tasks") == std::vector<int64_t>{8, 16, 20});
    CHECK(steps_with(asked, "val_loss") == std::vector<int64_t>{5, 10, 15, 20});
    // A model that learned nothing would choose by chance.
    CHECK(asked.back()["tasks"]["toy"]["acc"] == 1.0);
    config.eval = {};
    train_with(config, folder / "silent", 2);
    auto silent = metrics_of(folder / "silent");
    REQUIRE(silent.size() == asked.size());
    for (size_t i = 0; i < silent.size(); ++i) CHECK(silent[i]["loss"] == asked[i]["loss"]);
    CHECK(
        same_tensors(folder / "asked/checkpoints/step-20", folder / "silent/checkpoints/step-20"));
}

TEST_CASE_METHOD(Asked, "tasks in training: files that are missing or bad stop it at the start") {
    config.eval.tasks.push_back({.path = folder / "none.jsonl"});
    CHECK(thrown_by([&] { train_with(config, folder / "run", 1); }).code ==
          ExitCode::kInputMissing);
    config.eval.tasks.back().path = folder / "toy.jsonl";
    CHECK(thrown_by([&] { train_with(config, folder / "run", 1); }).code == ExitCode::kBadConfig);
    CHECK_FALSE(fs::exists(folder / "run"));
}
