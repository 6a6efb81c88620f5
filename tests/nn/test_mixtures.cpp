// Whole models with mixtures of experts: what their losses are at the extremes, and that nothing is
// read which the pass did not write.

#include "ops/elementwise.hpp"
#include "support/model_run.hpp"
#include "train/step_statistics.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr Recompute kAll[]{Recompute::kNone, Recompute::kActivation, Recompute::kBlock};

struct Tokens {
    std::vector<int32_t> ids, targets;
};

Tokens random_tokens(Random& random) {
    Tokens tokens;
    for (int i = 0; i < 10; ++i) {
        tokens.ids.push_back(static_cast<int32_t>(random.integer(0, 6)));
        tokens.targets.push_back(static_cast<int32_t>(random.integer(-1, 6)));
    }
    return tokens;
}

// Every gradient, after the loss.
std::vector<std::vector<double>> gradients_of(const ModelRun& run, const Tokens& tokens) {
    run.set_tokens(tokens.ids, tokens.targets);
    std::vector<std::vector<double>> all{{run.gradients()}};
    for (const Parameter* parameter : run.model.parameters())
        if (parameter->learned) all.push_back(ModelRun::values(run.pass()[parameter->gradient]));
    return all;
}

// What metrics tell of a forward and backward pass over ten tokens.
struct Told {
    StepStatistics::Means means;
    std::vector<RouterLoad> loads;

    explicit Told(const ModelRun& run) {
        StepStatistics statistics(run.model, {});
        statistics.begin();
        Transformer::Hooks hooks;
        hooks.routed = [&] { statistics.routed(run.pass()); };
        statistics.add_losses(run.model.forward_backward(run.pass(), hooks));
        statistics.end(run.pass(), 1);
        means = statistics.means(10, 10);
        loads = statistics.loads();
    }
};

const Parameter& parameter_of(const ModelRun& run, const std::string& name) {
    for (const Parameter* parameter : run.model.parameters())
        if (parameter->name == name) return *parameter;
    FAIL("no parameter " << name);
    return *run.model.parameters()[0];
}

void fill(const ModelRun& run, const std::string& name, double value) {
    run.pass().run(Fill{run.pass()[parameter_of(run, name).value], value});
}

// The same in every layer.
void set_bias(const ModelRun& run, const std::vector<double>& bias) {
    for (const Moe* moe : run.model.mixtures())
        for (size_t e = 0; e < bias.size(); ++e)
            write_element(run.pass()[moe->router().bias().value], static_cast<int64_t>(e), bias[e]);
}

}  // namespace

TEST_CASE("I10: B is 1 under uniform probabilities, whatever is chosen, and E under collapse") {
    for (const bool collapsed : {false, true})
        for (const std::string form : {"textbook", "olmoe"}) {
            ModelConfig config = small_mixtures()[0];
            config.moe.top_k = collapsed ? 1 : 2;
            config.moe.loss_form = form;
            const ModelRun run(config, 2, DType::kF64, true);
            // Every token is the same vector of ones, also after attention and experts.
            fill(run, "embedding.table", 1);
            for (const std::string layer : {"layers.0.", "layers.1."}) {
                fill(run, layer + "attention.out", 0);
                fill(run, layer + "moe.experts.down", 0);
                fill(run, layer + "moe.router.weight", 0);
                const Tensor weight =
                    run.pass()[parameter_of(run, layer + "moe.router.weight").value];
                if (collapsed) run.pass().run(Fill{weight.rows(2, 3), 100});
            }
            run.set_tokens(std::vector<int32_t>(10, 3), std::vector<int32_t>(10, 1));
            const Told told(run);
            const double layers = form == "textbook" ? 2 : 1;
            INFO(form << (collapsed ? ", collapsed" : ", uniform"));
            CHECK(told.means.balance_loss ==
                  Approx(config.moe.balance * layers * (collapsed ? 4 : 1)).epsilon(1e-6));
            const double lse = collapsed ? 800 / std::sqrt(1 + config.norm_eps) : std::log(4.0);
            CHECK(told.means.router_z_loss ==
                  Approx(config.moe.z_loss * layers * lse * lse /
                         (form == "textbook" ? 1.0 : static_cast<double>(config.moe.top_k)))
                      .epsilon(1e-9));
            REQUIRE(told.loads.size() == 2);
            for (const RouterLoad& load : told.loads) {
                CHECK(load.counts == (collapsed ? std::vector<int64_t>{0, 0, 10, 0}
                                                : std::vector<int64_t>{10, 10, 0, 0}));
                CHECK(load.highest() == Approx(collapsed ? 4 : 2));
                CHECK(std::fabs(load.entropy - (collapsed ? 0 : std::log(4.0))) < 1e-12);
            }
        }
}

TEST_CASE("mixtures: a bias decides the choice and nothing else") {
    Random random("moe bias");
    const ModelRun run(small_mixtures()[0], 2, DType::kF64, true);
    const Tokens tokens = random_tokens(random);
    set_bias(run, {0, 9, 0, 8});
    run.set_tokens(tokens.ids, tokens.targets);
    const Told told(run);
    for (const RouterLoad& load : told.loads)
        CHECK(load.counts == std::vector<int64_t>{0, 10, 0, 10});
    for (const Moe* moe : run.model.mixtures()) {
        const auto weights = ModelRun::values(moe->router().weights(run.pass()));
        for (const double weight : weights) CHECK((weight > 0 && weight < 1));
        for (size_t n = 0; n < 10; ++n) CHECK(weights[2 * n] + weights[2 * n + 1] < 1);
    }
    // The same bias for all is none.
    set_bias(run, {0, 0, 0, 0});
    const auto expected = gradients_of(run, tokens);
    set_bias(run, {0.5, 0.5, 0.5, 0.5});
    CHECK(gradients_of(run, tokens) == expected);
}

TEST_CASE("mixtures: nothing is read that the pass did not write") {
    Random random("moe poison");
    for (const ModelConfig& config : small_models_and_mixtures())
        for (const DType dtype : {DType::kF64, DType::kF32, DType::kBf16})
            for (const Recompute recompute : kAll) {
                INFO(config.feed_forward.activation << ", top " << config.moe.top_k << " of "
                                                    << config.moe.experts << ", "
                                                    << name_of(dtype));
                const Tokens tokens = random_tokens(random);
                const ModelRun run(config, 2, dtype, false, true, recompute);
                run.overwrite(0);
                const auto expected = gradients_of(run, tokens);
                run.overwrite(0xFF);  // NaN, and indices of -1
                CHECK(gradients_of(run, tokens) == expected);
            }
}

TEST_CASE("mixtures: a step leaves nothing to the next, which has other rows by expert") {
    Random random("moe next step");
    for (const ModelConfig& config : small_mixtures())
        for (const DType dtype : {DType::kF32, DType::kBf16})
            for (const Recompute recompute : kAll) {
                const Tokens tokens = random_tokens(random), others = random_tokens(random);
                const ModelRun run(config, 2, dtype, false, true, recompute);
                const auto expected = gradients_of(run, tokens);
                gradients_of(run, others);
                std::vector<double> bias(static_cast<size_t>(config.moe.experts), 0.0);
                bias[0] = 9;  // all tokens to expert 0, and few to the others
                set_bias(run, bias);
                gradients_of(run, others);
                set_bias(run, std::vector<double>(bias.size(), 0.0));
                CHECK(gradients_of(run, tokens) == expected);
            }
}

TEST_CASE("mixtures: gradients of micro-batches add up to those of the batch but for the balance") {
    Random random("moe accumulation");
    ModelConfig config = small_mixtures()[1];
    config.moe.balance = 0;  // f_e is of a micro-batch
    const ModelRun whole(config, 4, DType::kF64, false), half(config, 2, DType::kF64, false);
    Tokens first = random_tokens(random);
    const Tokens second = random_tokens(random);
    half.set_tokens(first.ids, first.targets);
    half.auxiliary_seed = 0.7;  // of the step
    half.gradients();
    half.set_tokens(second.ids, second.targets);
    half.auxiliary_seed = 0.7;
    half.forward_backward();
    first.ids.insert(first.ids.end(), second.ids.begin(), second.ids.end());
    first.targets.insert(first.targets.end(), second.targets.begin(), second.targets.end());
    whole.set_tokens(first.ids, first.targets);
    whole.auxiliary_seed = 0.7;
    whole.gradients();
    for (size_t i = 0; i < whole.model.parameters().size(); ++i)
        if (whole.model.parameters()[i]->learned)
            CHECK(relative_difference(
                      ModelRun::values(whole.pass()[whole.model.parameters()[i]->gradient]),
                      ModelRun::values(half.pass()[half.model.parameters()[i]->gradient])) < 1e-12);
}
