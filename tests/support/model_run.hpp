#pragma once
// A model in memory, in any storage type, for tests of layers and whole models.

#include "model/transformer.hpp"
#include "support/op_suite.hpp"

namespace polytrain::testing {

struct ModelRun {
    Machine machine;
    Transformer model;
    std::unique_ptr<Arena> arena;

    ModelRun(const ModelConfig& config, int64_t batch, DType dtype, bool reference,
             bool training = true, Recompute recompute = Recompute::kNone)
        : machine(2), model(config, machine.ops.activations()) {
        if (reference)
            for (const std::string& op : machine.ops.ops()) {
                const std::string base = op.substr(0, op.find('.'));
                machine.ops.force(base, "reference");
            }
        MemoryPlan plan;
        const Planner planner{plan, machine.ops, batch, config.context, dtype, training, recompute};
        model.plan(planner);
        arena = std::make_unique<Arena>(*machine.backend, plan);
        model.initialise(pass(), 11);
        model.prepare(pass());
    }
    Pass pass() const { return {machine.ops, *arena, machine.stream}; }

    void set_tokens(const std::vector<int32_t>& ids, const std::vector<int32_t>& targets) const {
        machine.stream.upload(model.ids(pass()), ids.data(), ids.size() * 4);
        machine.stream.upload(model.targets(pass()), targets.data(), targets.size() * 4);
    }
    // Rounded to the storage type.
    void take_weights_of(const ModelRun& other) const {
        for (size_t i = 0; i < model.parameters().size(); ++i) {
            const Tensor from = other.pass()[other.model.parameters()[i]->value];
            const Tensor to = pass()[model.parameters()[i]->value];
            for (int64_t k = 0; k < from.elements(); ++k)
                write_element(to, k, read_element(from, k));
        }
    }
    double forward() const { return sum(model.forward(pass())); }
    double forward_backward() const { return sum(model.forward_backward(pass())); }
    // What the gradients are of: both losses.
    static double sum(const Transformer::LossSums& sums) { return sums.cross_entropy + sums.z; }
    double gradients() const {
        for (const Parameter* parameter : model.parameters())
            machine.stream.zero(pass()[parameter->gradient]);
        return forward_backward();
    }
    static std::vector<double> values(const Tensor& tensor) {
        std::vector<double> all;
        for (int64_t i = 0; i < tensor.elements(); ++i) all.push_back(read_element(tensor, i));
        return all;
    }
};

// Configs that together use every part of the model.
inline std::vector<ModelConfig> small_models() {
    ModelConfig base;
    base.d_model = 8;
    base.layers = 2;
    base.heads = 2;
    base.kv_heads = 2;
    base.context = 5;
    base.vocab_size = 7;
    base.init.std = 0.4;  // gradients well away from rounding
    base.feed_forward.hidden = 12;
    std::vector<ModelConfig> all(8, base);
    all[1].feed_forward.activation = "swiglu";
    all[1].feed_forward.gated = true;
    all[1].kv_heads = 1;
    all[2].feed_forward.activation = "gelu";
    all[2].tied = true;
    all[3].feed_forward.activation = "polyrelu";
    all[3].init.depth_scaled = false;
    all[4].feed_forward.gated = true;  // gated PolyNorm
    all[4].kv_heads = 1;
    all[5].qk_norm = "full";
    all[5].kv_heads = 1;
    all[5].z_loss = 0.02;
    all[6].qk_norm = "head";
    all[6].tied = true;
    all[6].feed_forward.activation = "polyprelu";
    all[6].z_loss = 0.05;
    all[7].feed_forward.activation = "polyrelunorm";
    all[7].qk_norm = "head";
    all[7].kv_heads = 1;
    all[7].init.cut = 2;
    return all;
}

}  // namespace polytrain::testing
