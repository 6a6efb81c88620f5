// Real text in, a model that has learned out: against a byte-bigram model counted on the same text.

#include <cstdlib>

#include "config/load.hpp"
#include "data/prepare.hpp"
#include "data/token_file.hpp"
#include "support/bigram.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

std::vector<int32_t> tokens_of(const std::filesystem::path& bin) {
    const TokenFile file(bin);
    std::vector<int32_t> ids(static_cast<size_t>(file.tokens()));
    file.read(0, file.tokens(), ids.data());
    return ids;
}

// Prepares the quickstart's text, trains `config` on it and compares each evaluation with the one
// before and the last with the bigram model.
void check_learns(const RunConfig& base, const TempFolder& folder) {
    const auto text = folder / "text.txt";
    REQUIRE(std::system(("'" POLYTRAIN_SOURCE_DIR "/scripts/prepare_quickstart_text.sh' '" +
                         text.string() + "'")
                            .c_str()) == 0);
    prepare({{text}, folder / "tokens", 0.05}, *make_tokenizer("bytes"));
    const auto train_bin = folder.path() / "tokens/train.bin";
    const auto validation_bin = folder.path() / "tokens/validation.bin";
    const double bigram = bigram_loss(tokens_of(train_bin), tokens_of(validation_bin));

    RunConfig config = base;
    config.data = {};
    config.data.train = {{train_bin.string(), 1.0}};
    config.data.validation = {{"held_out", validation_bin.string()}};
    train_with(config, folder / "run", 2);

    double last = 1e9;
    for (const auto& line : metrics_of(folder / "run")) {
        if (!line.contains("val_loss")) continue;
        const double loss = line["val_loss"];
        fmt::print("step {:>4}: validation loss {:.4f}, byte-bigram model {:.4f}\n",
                   line["step"].get<int>(), loss, bigram);
        CHECK(loss < last);
        last = loss;
    }
    CHECK(last < bigram - 0.3);
}

}  // namespace

TEST_CASE("training: validation loss falls steadily and well below a byte-bigram model's") {
    RunConfig config = tiny_config();
    config.model.vocab_size = 256;
    config.model.d_model = 96;
    config.model.context = 64;
    config.model.feed_forward.hidden = 384;
    config.train.batch = config.train.micro_batch = 16;
    config.train.steps = 500;
    config.train.eval_every = 100;
    config.train.eval_sequences = 128;
    config.train.checkpoint_every = 0;
    config.optimizer.schedule.warmup_steps = 30;
    config.optimizer.lr = 0.005;
    const TempFolder folder;
    check_learns(config, folder);
}

TEST_CASE("training: so does the quickstart's own config", "[slow]") {
    const Machine machine(1);
    const TempFolder folder;
    check_learns(
        load_config(POLYTRAIN_SOURCE_DIR "/configs/quickstart.json", {}, machine.ops.activations()),
        folder);
}
