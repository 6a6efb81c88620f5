#include <cmath>
#include <limits>
#include <map>

#include "generate/sample.hpp"
#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("sample: draws follow softmax(logits / temperature)") {
    const std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(5.0f)};
    std::map<int32_t, int> counts;
    for (int i = 0; i < 800; ++i) ++counts[draw_token(logits, 1.0, (i + 0.5) / 800)];
    CHECK(counts[0] == 100);
    CHECK(counts[1] == 200);
    CHECK(counts[2] == 500);
    CHECK(draw_token(logits, 0, 0.0) == 2);
    CHECK(draw_token({1, 3, 3}, 0, 0.9) == 1);
    CHECK(draw_token(logits, 1.0, std::nextafter(1.0, 0.0)) == 2);
    CHECK(thrown_by([] {
              draw_token({0, std::numeric_limits<float>::quiet_NaN()}, 1, 0);
          }).code == ExitCode::kNumerics);
}

TEST_CASE("sample: the window slides, and a seed gives one text") {
    std::vector<size_t> lengths;
    std::vector<int32_t> first, second;
    const auto logits = [&](const std::vector<int32_t>& ids) {
        lengths.push_back(ids.size());
        std::vector<float> all(10, 0.0f);
        all[static_cast<size_t>((ids.back() + 1) % 10)] = 2;
        return all;
    };
    SampleOptions options;
    options.tokens = 20;
    options.temperature = 1;
    generate({1, 2, 3}, 4, options, logits, [&](int32_t id) { first.push_back(id); });
    CHECK(lengths[0] == 3);
    CHECK(lengths[1] == 4);
    CHECK(lengths.back() == 4);
    generate({1, 2, 3}, 4, options, logits, [&](int32_t id) { second.push_back(id); });
    CHECK(first == second);
    CHECK(first.size() == 20);
}

TEST_CASE("sample: a trained model's logits are those of its checkpoint") {
    const RunConfig config = tiny_config();
    const TempFolder folder;
    train_with(config, folder / "run", 2);
    const Checkpoint checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-20");
    const Machine machine(2);
    const InferenceSession inference(config, *machine.backend, machine.ops, checkpoint);
    TrainingSession training(config, *machine.backend, machine.ops);
    training.restore(checkpoint);
    // loss of one scored target = lse - its logit
    std::vector<int32_t> ids;
    for (int i = 0; i < 17; ++i) ids.push_back((i * 7) % 61);
    const std::vector<float> logits = inference.logits_after(ids);
    double sum = 0;
    for (float logit : logits) sum += std::exp(static_cast<double>(logit));
    HostBatch batch(3 * 40);
    std::copy(ids.begin(), ids.end(), batch.ids.begin());
    std::fill(batch.targets.begin(), batch.targets.end(), -1);
    batch.targets[16] = 9;
    CHECK(training.loss_sum(batch) == Approx(std::log(sum) - logits[9]).epsilon(1e-5));
}
