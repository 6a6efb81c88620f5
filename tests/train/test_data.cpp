// What a run does with its data: files of other programs, the filter, a changed file.

#include "data/foreign_files.hpp"
#include "support/damage.hpp"
#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// A run of ten steps on 60 samples of a headerless file.
struct Fixture {
    TempFolder folder;
    RunConfig config = tiny_config();
    std::vector<int32_t> ids;

    Fixture() {
        for (int32_t i = 0; i < 60 * 40 + 1; ++i) ids.push_back(i * i % 61);
        config.model.vocab_size = 256;  // the least for the tokenizer "bytes"
        config.data.synthetic = false;
        config.data.train = {{folder / "a.npy"}};
        config.train.steps = 10;
        write();
    }
    void write() { spit(folder / "a.npy", packed<uint16_t>(ids)); }
    std::vector<nlohmann::json> train_to(const std::string& run, int64_t steps,
                                         bool resume = false) {
        config.train.steps = steps;
        train_with(config, folder / run, 2, resume);
        return metrics_of(folder / run);
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "training: files of every format give the same run") {
    const auto npy = train_to("npy", 5);
    spit(folder / "l.bin", llmc_shard(ids, false));
    config.data.train = {{folder / "l.bin"}};
    CHECK(train_to("llmc", 5) == npy);
    spit(folder / "m.bin", packed<int32_t>(ids));
    spit(folder / "m.idx", megatron_index(4, {2000, 401}));
    config.data.train = {{folder / "m"}};
    CHECK(train_to("megatron", 5) == npy);
    spit(folder / "r.bin", packed<uint32_t>(ids));
    config.data.train = {{folder / "r.bin", 1, "raw", "uint32"}};
    CHECK(train_to("raw", 5) == npy);
    config.data.validation = {{"shard", folder / "l.bin"}, {"ids", folder / "a.npy"}};
    const auto evaluated = train_to("evaluated", 5);
    const auto& losses = evaluated.back()["val_losses"];
    CHECK(losses["shard"] == losses["ids"]);
}

TEST_CASE_METHOD(Fixture, "training: changed data are an error on resume, unless allowed") {
    train_to("run", 10);
    std::filesystem::copy(folder / "run", folder / "control",
                          std::filesystem::copy_options::recursive);
    const auto control = train_to("control", 12, true);
    ids.back() ^= 1;  // the last target of the last sample
    write();
    const Thrown thrown = thrown_by([&] { train_to("run", 12, true); });
    CHECK(thrown.code == ExitCode::kBadConfig);
    CHECK(thrown.says("data.allow_changed"));
    CHECK(thrown.says("step-10"));
    CHECK(metrics_of(folder / "run").size() == 10);

    config.data.allow_changed = true;
    const auto allowed = train_to("run", 12, true);
    // Steps 11 and 12 begin the second epoch where the control does: only a step that meets the
    // changed target may differ.
    REQUIRE(allowed.size() == 12);
    CHECK(allowed[10]["tokens"] == control[10]["tokens"]);
    const Checkpoint after = Checkpoint::open(folder.path() / "run/checkpoints/step-12");
    CHECK(after.state().next_sample == 72);
    CHECK(after.state().data_fingerprint !=
          Checkpoint::open(folder.path() / "control/checkpoints/step-12").state().data_fingerprint);

    // The new checkpoint is of the changed data: from here on they are the run's own.
    config.data.allow_changed = false;
    CHECK(train_to("run", 13, true).size() == 13);
}

TEST_CASE_METHOD(Fixture, "training: the filter counts per step, and all filtered is no failure") {
    std::fill_n(ids.begin() + 40 * 7, 3 * 40, 9);  // three samples of one id
    write();
    config.train.checkpoint_every = 0;
    const auto off = train_to("off", 10);
    CHECK_FALSE(off[0].contains("filtered_sequences"));
    config.data.repetition_filter = true;
    const auto on = train_to("on", 10);  // 10 steps of 6 samples: one epoch
    int64_t filtered = 0;
    for (size_t i = 0; i < on.size(); ++i) {
        const auto count = on[i]["filtered_sequences"].get<int64_t>();
        // Until the first one is met the runs are the same.
        if (filtered == 0) CHECK((on[i]["loss"] == off[i]["loss"]) == (count == 0));
        filtered += count;
    }
    CHECK(filtered == 3);

    std::fill(ids.begin(), ids.end(), 9);
    write();
    const auto all = train_to("all", 3);
    REQUIRE(all.size() == 3);
    for (const auto& line : all) {
        CHECK(line["filtered_sequences"] == 6);
        CHECK(line["loss"] == 0);
        CHECK(line["grad_norm"] == 0);
        CHECK(line["tokens"].get<int64_t>() % 240 == 0);
    }
}
