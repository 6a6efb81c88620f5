#include "train/decoder.hpp"

#include "support/whole_logits.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

void check_decoder(RunConfig config, double tolerance) {
    config.train.steps = 5;
    config.train.checkpoint_every = 0;
    config.train.eval_every = 0;
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const Checkpoint checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-5");
    const Machine machine(2);
    const InferenceSession whole(config, *machine.backend, machine.ops, checkpoint);
    Decoder decoder(config, *machine.backend, machine.ops, checkpoint);

    Random random("decoder");
    std::vector<int32_t> ids;
    const auto same_logits = [&] {
        const std::vector<float> a = whole_logits(whole, ids), b = decoder.logits_after(ids);
        const std::vector<double> expected(a.begin(), a.end()), actual(b.begin(), b.end());
        INFO(ids.size() << " ids, " << config.precision << ", qk_norm " << config.model.qk_norm);
        CHECK(relative_difference(expected, actual) < tolerance);
    };
    const auto grow = [&](int64_t count) {
        for (int64_t i = 0; i < count; ++i)
            ids.push_back(static_cast<int32_t>(random.integer(0, config.model.vocab_size - 1)));
    };
    // One by one, some at once, up to the whole context, which is more than a chunk.
    for (const int64_t count : {1, 1, 1, 5, 1, 2}) {
        grow(count);
        same_logits();
    }
    same_logits();  // the same again
    grow(config.model.context - static_cast<int64_t>(ids.size()) - 1);
    same_logits();
    grow(1);
    same_logits();
    ids.resize(4);  // back
    same_logits();
    ids.assign(37, 3);  // another text: a chunk and some rows
    same_logits();
    ids.assign(32, 5);  // just a chunk
    same_logits();
}

}  // namespace

TEST_CASE("decoder: the logits of the whole model, however the ids come") {
    RunConfig config = tiny_config();
    check_decoder(config, 2e-5);
    config.model.qk_norm = "full";
    config.model.tied = true;
    check_decoder(config, 2e-5);
    config.model.qk_norm = "head";
    config.precision = "bf16";
    check_decoder(config, 2e-2);
}

TEST_CASE("decoder: a mixture of experts, token by token") {
    RunConfig config = tiny_config();
    MoeConfig& moe = config.model.moe;
    moe.experts = 6;
    moe.top_k = 2;
    moe.hidden = 24;
    check_decoder(config, 2e-5);
    moe.renormalise = true;
    moe.shared_hidden = 20;
    moe.coefficients = "expert";
    check_decoder(config, 2e-5);
    config.model.feed_forward.activation = "swiglu";
    config.model.feed_forward.gated = true;
    moe.coefficients = "layer";
    moe.experts = moe.top_k = 3;  // all: in bf16 the choice would differ
    config.precision = "bf16";
    check_decoder(config, 2e-2);
}
