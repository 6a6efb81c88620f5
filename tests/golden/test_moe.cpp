// Losses and gradients of small mixtures of experts, as PyTorch computed them (make_moe.py).

#include "golden/golden.hpp"
#include "train/step_statistics.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Case {
    std::string name;
    ModelConfig config;

    Case(const std::string& seed, const std::string& activation, int64_t top_k, bool renormalise,
         const std::string& form, bool shared, const std::string& coefficients,
         const std::string& qk_norm)
        : name(fmt::format("{}/{}/k{}/{}/{}/{}/{}/{}/", seed, activation, top_k,
                           renormalise ? "renormalised" : "plain", form,
                           shared ? "shared" : "routed", coefficients, qk_norm)),
          config(golden_config(activation, qk_norm)) {
        MoeConfig& moe = config.moe;
        moe.experts = 8;
        moe.top_k = top_k;
        moe.hidden = config.feed_forward.hidden;
        moe.shared_hidden = shared ? 7 : 0;
        moe.coefficients = coefficients;
        moe.renormalise = renormalise;
        moe.balance = 0.7;
        moe.z_loss = 0.05;
        moe.loss_form = form;
    }
};

// Of the tensor's largest magnitude in f32; by reference in f64 what the file's f32 leaves.
double tolerance_of(DType dtype) {
    return dtype == DType::kF64 ? 2e-7 : 2e-5;
}

}  // namespace

TEST_CASE(
    "golden: a mixture's losses and gradients are PyTorch's, in f32 and by reference in f64") {
    const GoldenFile golden("moe_gradients.safetensors");
    const std::vector<Case> cases{
        {"0", "polynorm", 2, false, "textbook", false, "layer", "none"},
        {"0", "polynorm", 3, true, "olmoe", true, "expert", "none"},
        {"0", "polynorm", 3, false, "olmoe", false, "expert", "full"},
        {"2", "swiglu", 2, true, "textbook", false, "layer", "head"},
        {"0", "swiglu", 3, false, "olmoe", false, "layer", "none"},
        {"0", "swiglu", 3, true, "textbook", true, "layer", "none"},
    };
    size_t compared = 0;
    for (const auto& [name, config] : cases)
        for (const DType dtype : {DType::kF32, DType::kF64}) {
            const ModelRun run(config, 2, dtype, dtype == DType::kF64);
            set_weights(run);
            set_tokens(run, name.substr(0, name.find('/')));
            INFO(name << " in " << name_of(dtype));

            StepStatistics statistics(run.model, {});
            statistics.begin();
            for (const Parameter* parameter : run.model.parameters())
                if (parameter->learned) run.machine.stream.zero(run.pass()[parameter->gradient]);
            Transformer::Hooks hooks;
            hooks.routed = [&] { statistics.routed(run.pass()); };
            statistics.add_losses(run.model.forward_backward(run.pass(), hooks));
            statistics.end(run.pass(), 1);
            const auto means = statistics.means(18, 22);  // every 7th of 22 isn't scored
            CHECK(means.loss == Approx(golden[name + "loss"][0]).epsilon(2e-6));
            CHECK(means.balance_loss == Approx(golden[name + "balance_loss"][0]).epsilon(2e-6));
            CHECK(means.router_z_loss == Approx(golden[name + "router_z_loss"][0]).epsilon(2e-6));

            double largest = 0;
            for (const Parameter* parameter : run.model.parameters()) {
                if (!parameter->learned) continue;
                INFO(parameter->name);
                const double error =
                    relative_difference(golden[name + parameter->name],
                                        ModelRun::values(run.pass()[parameter->gradient]));
                CHECK(error < tolerance_of(dtype));
                largest = std::max(largest, error);
                ++compared;
            }
            std::printf("golden: %s %s: largest relative error %.1e\n", name.c_str(),
                        std::string(name_of(dtype)).c_str(), largest);
        }
    CHECK(compared == 2 * (golden.size() - 3 * cases.size()));  // all but the losses
}
