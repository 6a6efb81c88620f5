// Whole models in f32 and bf16 against reference in f64.

#include "nn/draw_tokens.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("model: loss and gradients in f32 against reference in f64") {
    Random random("model f32");
    for (ModelConfig config : small_models_and_mixtures()) {
        config.context = 70;  // more than one tile of keys
        config.layers = 3;
        const ModelRun exact(config, 2, DType::kF64, true), run(config, 2, DType::kF32, false);
        // The same weights: f32's, in f64.
        exact.take_weights_of(run);
        draw_tokens(exact, run, 140, random);
        CHECK(run.gradients() == Approx(exact.gradients()).epsilon(1e-6));
        for (size_t i = 0; i < run.model.parameters().size(); ++i) {
            if (!run.model.parameters()[i]->learned) continue;
            INFO(text_of(config) << ": " << run.model.parameters()[i]->name);
            CHECK(relative_difference(
                      ModelRun::values(exact.pass()[exact.model.parameters()[i]->gradient]),
                      ModelRun::values(run.pass()[run.model.parameters()[i]->gradient]),
                      1e-2) < 6e-5);
        }
    }
}

TEST_CASE("model: bf16 storage runs through reference and is near f64") {
    Random random("model bf16");
    const ModelConfig config = small_models()[0];
    const ModelRun exact(config, 2, DType::kF64, true), run(config, 2, DType::kBf16, false);
    const auto ids = random_ids(10, 0, 6, random), targets = random_ids(10, 0, 6, random);
    exact.set_tokens(ids, targets);
    run.set_tokens(ids, targets);
    CHECK(run.gradients() == Approx(exact.gradients()).epsilon(0.05));
}

TEST_CASE("model: bf16 gradients are those of f64 to bf16's rounding") {
    Random random("model bf16");
    for (ModelConfig config : small_models_and_mixtures()) {
        config.d_model = 32;
        config.feed_forward.hidden = 48;
        config.moe.hidden = 16;
        config.context = config.moe.experts > 0 ? 7 : 33;  // few choices, so that some draw agrees
        config.init.std = 0.2;
        const ModelRun exact(config, 2, DType::kF64, true), run(config, 2, DType::kBf16, false);
        exact.take_weights_of(run);
        draw_tokens(exact, run, 2 * config.context, random);
        double mean = 0;  // of the relative errors of the gradients
        CHECK(run.gradients() == Approx(exact.gradients()).epsilon(5e-3));
        for (size_t i = 0; i < run.model.parameters().size(); ++i) {
            const Parameter& parameter = *run.model.parameters()[i];
            if (!parameter.learned) continue;
            INFO(text_of(config) << ": " << parameter.name);
            const auto expected =
                ModelRun::values(exact.pass()[exact.model.parameters()[i]->gradient]);
            const auto actual = ModelRun::values(run.pass()[parameter.gradient]);
            double difference = 0, size = 1e-3;
            for (size_t k = 0; k < expected.size(); ++k) {
                difference += (actual[k] - expected[k]) * (actual[k] - expected[k]);
                size += expected[k] * expected[k];
            }
            const double error = std::sqrt(difference / size);
            CHECK(error < 0.4);  // half a factor is 0.5
            mean += error / static_cast<double>(run.model.parameters().size());
        }
        CHECK(mean < 0.1);
    }
}
