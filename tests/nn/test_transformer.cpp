#include "model/transformer.hpp"

#include "model/estimate.hpp"
#include "nn/draw_tokens.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("model: every raw gradient against central differences, in f64") {
    Random random("model gradient");
    for (const ModelConfig& config : small_models_and_mixtures()) {
        const ModelRun run(config, 2, DType::kF64, false);
        run.set_tokens(random_ids(10, 0, 6, random), random_ids(10, -1, 6, random));
        run.gradients();
        const std::vector<double> choices = run.choices();
        for (const Parameter* parameter : run.model.parameters()) {
            if (!parameter->learned) continue;
            INFO(text_of(config) << ": " << parameter->name);
            const Tensor value = run.pass()[parameter->value];
            const std::vector<double> gradient = ModelRun::values(run.pass()[parameter->gradient]);
            std::vector<double> analytic, numeric;
            for (int trial = 0; trial < 12; ++trial) {
                const int64_t i = random.integer(0, value.elements() - 1);
                double& x = value.as<double>()[i];
                const double kept = x;
                bool same_experts = true;
                const auto at = [&](double moved) {
                    x = moved;
                    const double loss = run.forward();
                    same_experts = same_experts && run.choices() == choices;
                    x = kept;
                    return loss;
                };
                const auto difference = [&](double h) {
                    return (at(kept + h) - at(kept - h)) / (2 * h);
                };
                // A step that crosses a relu's kink is wrong; the shorter one then is not.
                const double exact = gradient[static_cast<size_t>(i)];
                const double wide = difference(1e-5), narrow = difference(1e-6);
                if (!same_experts) continue;  // not differentiable here
                analytic.push_back(exact);
                numeric.push_back(std::fabs(wide - exact) < std::fabs(narrow - exact) ? wide
                                                                                      : narrow);
            }
            CHECK(numeric.size() > 6);
            CHECK(relative_difference(numeric, analytic, 1e-2) < 2e-6);
        }
    }
}

TEST_CASE("model: a large vocabulary goes through the head in chunks, the last one shorter") {
    Random random("model chunks");
    ModelConfig config = small_models()[0];
    config.vocab_size = 40000;  // 52 rows of logits a chunk: 70 rows are 52 and 18
    config.context = 35;
    config.init.std = 0.02;  // all logits are near 0: a token's loss is near log V
    for (DType dtype : {DType::kF64, DType::kF32}) {
        const ModelRun run(config, 2, dtype, false);
        run.set_tokens(random_ids(70, 0, 39999, random), random_ids(70, 0, 39999, random));
        CHECK(run.gradients() == Approx(70 * std::log(40000.0)).epsilon(3e-3));
        // Every row's softmax, less its target, sums to 0 over the vocabulary; the head's gradient
        // is that of 70 rows with normed activations of RMS 1.
        const auto gradient = ModelRun::values(run.pass()[run.model.parameters().back()->gradient]);
        double sum = 0, squares = 0;
        for (double g : gradient) {
            sum += g;
            squares += g * g;
        }
        CHECK(std::fabs(sum) < 1e-2);
        CHECK(squares > 0.8 * 70 * config.d_model);
        CHECK(run.forward() == Approx(70 * std::log(40000.0)).epsilon(3e-3));
    }
}

TEST_CASE("model: gradients of micro-batches add up to those of the batch") {
    Random random("model accumulation");
    const ModelConfig config = small_models()[0];
    const auto ids = random_ids(20, 0, 6, random), targets = random_ids(20, -1, 6, random);
    const ModelRun whole(config, 4, DType::kF64, false), half(config, 2, DType::kF64, false);
    whole.set_tokens(ids, targets);
    const double loss = whole.gradients();
    half.set_tokens({ids.begin(), ids.begin() + 10}, {targets.begin(), targets.begin() + 10});
    double sum = half.gradients();
    half.set_tokens({ids.begin() + 10, ids.end()}, {targets.begin() + 10, targets.end()});
    sum += half.forward_backward();
    CHECK(sum == Approx(loss).epsilon(1e-12));
    for (size_t i = 0; i < whole.model.parameters().size(); ++i)
        CHECK(relative_difference(
                  ModelRun::values(whole.pass()[whole.model.parameters()[i]->gradient]),
                  ModelRun::values(half.pass()[half.model.parameters()[i]->gradient])) < 1e-12);
}

TEST_CASE("model: inference gives the logits of training's forward, in less memory") {
    Random random("model inference");
    const ModelConfig config = small_models()[1];
    const ModelRun training(config, 1, DType::kF64, true);
    const ModelRun inference(config, 1, DType::kF64, true, false);
    const auto ids = random_ids(5, 0, 6, random);
    for (int32_t target = 0; target < 7; ++target) {
        // Only the last position is scored: its loss is lse - logit of the target.
        training.set_tokens(ids, {-1, -1, -1, -1, target});
        inference.set_tokens(ids, {-1, -1, -1, -1, -1});
        const auto logits = ModelRun::values(inference.model.logits_after(inference.pass(), 4));
        double sum = 0;
        for (double logit : logits) sum += std::exp(logit);
        CHECK(training.forward() ==
              Approx(std::log(sum) - logits[static_cast<size_t>(target)]).epsilon(1e-9));
    }
}

TEST_CASE("model: initial values are a function of seed, name and element") {
    ModelConfig config = small_models()[0];
    const ModelRun run(config, 1, DType::kF32, false);
    config.layers = 3;  // a deeper model keeps the other parameters' values, but for depth scaling
    config.init.depth_scaled = false;
    const ModelRun deeper(config, 2, DType::kF32, true);
    CHECK(ModelRun::values(run.pass()[run.model.parameters()[0]->value]) ==
          ModelRun::values(deeper.pass()[deeper.model.parameters()[0]->value]));
    for (const Parameter* parameter : run.model.parameters())
        if (parameter->decay == DecayClass::kCoefficient)
            CHECK(relative_difference({0, 1.0 / 3, 1.0 / 3, 1.0 / 3},
                                      ModelRun::values(run.pass()[parameter->value])) < 1e-7);
}

TEST_CASE(
    "model: truncated initial values lie within the cut, residual projections within theirs") {
    ModelConfig config = small_models()[0];
    config.init.cut = 1.5;
    config.d_model = 32;
    const ModelRun run(config, 1, DType::kF32, false);
    for (const Parameter* parameter : run.model.parameters()) {
        if (parameter->decay != DecayClass::kMatrix && parameter->decay != DecayClass::kEmbedding)
            continue;
        const bool residual =
            parameter->name.ends_with(".out") || parameter->name.ends_with(".down");
        const double most = 1.5 * config.init.std / (residual ? 2.0 : 1.0);  // sqrt(2 layers)
        double largest = 0;
        const std::vector<double> values = ModelRun::values(run.pass()[parameter->value]);
        for (double x : values) largest = std::max(largest, std::fabs(x));
        INFO(parameter->name);
        CHECK(largest <= most * (1 + 1e-6));
        CHECK(largest > 0.8 * most);
    }
}

TEST_CASE("model: the paper's dense model has its number of parameters") {
    const Machine machine(1);
    ModelConfig config;
    config.d_model = 2048;
    config.layers = 24;
    config.heads = config.kv_heads = 16;
    config.context = 4096;
    config.vocab_size = 32000;
    config.feed_forward.hidden = 8256;
    const Transformer model(config, machine.ops.activations());
    CHECK(count_parameters(config, model.parameters()).parameters == 1345423360);
    CHECK(count_parameters(config, model.parameters()).coefficients == 96);
}

TEST_CASE("model: each choice of recompute gives the bits of none, in f32 and bf16") {
    Random random("model recompute");
    for (ModelConfig config : small_models_and_mixtures()) {
        config.layers = 3;
        const auto ids = random_ids(10, 0, 6, random), targets = random_ids(10, -1, 6, random);
        for (const DType dtype : {DType::kF32, DType::kBf16}) {
            const ModelRun none(config, 2, dtype, false);
            none.set_tokens(ids, targets);
            const double loss = none.gradients();
            for (const Recompute recompute : {Recompute::kActivation, Recompute::kBlock}) {
                const ModelRun run(config, 2, dtype, false, true, recompute);
                run.set_tokens(ids, targets);
                CHECK(run.gradients() == loss);
                CHECK(run.forward() == loss);
                for (size_t i = 0; i < run.model.parameters().size(); ++i) {
                    if (!run.model.parameters()[i]->learned) continue;
                    INFO(text_of(config)
                         << " " << name_of(dtype) << ": " << run.model.parameters()[i]->name);
                    CHECK(ModelRun::values(run.pass()[run.model.parameters()[i]->gradient]) ==
                          ModelRun::values(none.pass()[none.model.parameters()[i]->gradient]));
                }
            }
        }
    }
}

TEST_CASE("model: recompute takes less memory, the more of it the less") {
    ModelConfig config = small_models()[0];
    config.layers = 6;
    const Machine machine(1);
    const auto saved = [&](Recompute recompute) {
        Transformer model(config, machine.ops.activations());
        MemoryPlan plan;
        model.plan({plan, machine.ops, 2, config.context, DType::kF32, true, recompute});
        return plan.bytes(Life::kSaved) + plan.bytes(Life::kScratch);
    };
    CHECK(saved(Recompute::kActivation) < saved(Recompute::kNone));
    CHECK(saved(Recompute::kBlock) < saved(Recompute::kActivation));
}
