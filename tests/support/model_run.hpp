#pragma once
// A model in memory, in any storage type, for tests of layers and whole models.

#include <algorithm>

#include "model/transformer.hpp"
#include "support/op_suite.hpp"

namespace polytrain::testing {

struct ModelRun {
    Machine machine;
    Transformer model;
    MemoryPlan plan;
    std::unique_ptr<Arena> arena;
    mutable double auxiliary_seed = 1;  // scored over all tokens, of those that were set last

    ModelRun(const ModelConfig& config, int64_t batch, DType dtype, bool reference,
             bool training = true, Recompute recompute = Recompute::kNone,
             std::unique_ptr<Backend> device = make_cpu_backend(2))
        : machine(std::move(device)), model(config, machine.ops.activations()) {
        if (reference)
            for (const std::string& op : machine.ops.ops()) {
                const std::string base = op.substr(0, op.find('.'));
                machine.ops.force(base, "reference");
            }
        const Planner planner{plan, machine.ops, batch, config.context, dtype, training, recompute};
        model.plan(planner);
        arena = std::make_unique<Arena>(*machine.backend, plan);
        model.initialise(pass(), 11);
        model.prepare(pass());
    }
    Pass pass() const {
        Pass made{machine.ops, *arena, machine.stream};
        made.auxiliary_seed = auxiliary_seed;
        return made;
    }

    void set_tokens(const std::vector<int32_t>& ids, const std::vector<int32_t>& targets) const {
        machine.stream.upload(model.ids(pass()), ids.data(), ids.size() * 4);
        machine.stream.upload(model.targets(pass()), targets.data(), targets.size() * 4);
        const auto scored = std::count_if(targets.begin(), targets.end(),
                                          [](int32_t target) { return target >= 0; });
        auxiliary_seed = static_cast<double>(scored) / static_cast<double>(targets.size());
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
    // What the gradients are of: the sums of both losses, and the routers' with their seed.
    double sum(const Transformer::LossSums& sums) const {
        double auxiliary = 0;
        for (const Moe* moe : model.mixtures()) auxiliary += router_losses(moe->router());
        return sums.cross_entropy + sums.z + auxiliary_seed * auxiliary;
    }
    // tokens (balance E sum_e f_e P_e) + z sum lse^2.
    double router_losses(const Router& router) const {
        const RouterShape& shape = router.shape();
        const std::vector<double> counts = values(router.counts(pass()));
        const std::vector<double> sums = values(router.sums(pass()));
        double product = 0, total = 0;
        for (size_t e = 0; e < counts.size(); ++e) {
            product += counts[e] * sums[e];
            total += counts[e];
        }
        return shape.balance * static_cast<double>(shape.experts) * product / total +
               shape.z * sums[counts.size()];
    }
    // The experts of every token in every layer, as a set: which is why they are sorted. Not where
    // blocks are recomputed.
    std::vector<double> choices() const {
        std::vector<double> all;
        for (const Moe* moe : model.mixtures()) {
            const Tensor experts_NK = moe->router().experts(pass());
            std::vector<double> own = values(experts_NK);
            for (auto token = own.begin(); token != own.end(); token += experts_NK.dim(1))
                std::sort(token, token + experts_NK.dim(1));
            all.insert(all.end(), own.begin(), own.end());
        }
        return all;
    }
    double gradients() const {
        for (const Parameter* parameter : model.parameters())
            if (parameter->learned) machine.stream.zero(pass()[parameter->gradient]);
        return forward_backward();
    }
    // Sets every byte but the parameters' own; tokens must be set again.
    void overwrite(int byte) const {
        for (size_t i = 0; i < plan.entries().size(); ++i) {
            const Tensor tensor = pass()[TensorId{static_cast<int>(i)}];
            if (plan.entries()[i].life != Life::kParameter)
                std::memset(tensor.data, byte, tensor.bytes());
        }
        model.prepare(pass());
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

// Configs that together use every part of a mixture of experts.
inline std::vector<ModelConfig> small_mixtures() {
    ModelConfig base = small_models()[0];
    base.moe.experts = 4;
    base.moe.hidden = 6;
    base.moe.balance = 0.5;  // both losses matter
    base.moe.z_loss = 0.1;
    std::vector<ModelConfig> all(6, base);
    all[1].moe.top_k = 3;
    all[1].moe.renormalise = true;
    all[1].moe.loss_form = "olmoe";
    all[1].moe.shared_hidden = 10;
    all[1].moe.coefficients = "expert";
    all[2].feed_forward.activation = "swiglu";
    all[2].feed_forward.gated = true;
    all[2].moe.renormalise = true;
    all[2].z_loss = 0.02;
    all[3].feed_forward.gated = true;  // gated PolyNorm
    all[3].moe.top_k = 1;
    all[3].moe.coefficients = "expert";
    all[3].tied = true;
    all[4].feed_forward.activation = "polyrelu";
    all[4].moe.top_k = 4;  // all
    all[4].moe.shared_hidden = 5;
    all[4].qk_norm = "head";
    all[5].feed_forward.activation = "gelu";
    all[5].moe.experts = 7;
    all[5].moe.balance = 0;
    return all;
}

inline std::vector<ModelConfig> small_models_and_mixtures() {
    std::vector<ModelConfig> all = small_models();
    for (const ModelConfig& config : small_mixtures()) all.push_back(config);
    return all;
}

}  // namespace polytrain::testing
