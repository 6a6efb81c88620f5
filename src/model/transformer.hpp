#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/block.hpp"
#include "model/model_config.hpp"
#include "nn/embedding.hpp"
#include "nn/loss_head.hpp"

namespace polytrain {

// A decoder-only Transformer over one micro-batch of token ids.
class Transformer {
  public:
    // The config must be resolved (no zeros that mean a default).
    Transformer(const ModelConfig& config, const ActivationCatalog& activations);
    Transformer(const Transformer&) = delete;  // a tied head refers to the embedding
    Transformer& operator=(const Transformer&) = delete;

    // In global order; each one's index is its place here.
    const std::vector<Parameter*>& parameters() const { return parameters_; }

    // Declares everything: parameters, gradients, what backward needs, scratch.
    void plan(const Planner& planner);

    // Sets parameters to their initial values, each a function of (seed, name, element).
    void initialise(const Pass& pass, uint64_t seed) const;
    // Fills what is computed once and isn't a parameter; before the first forward.
    void prepare(const Pass& pass) const;

    // Token ids and targets of the micro-batch, i32 [batch * time]: write them before a pass.
    Tensor ids(const Pass& pass) const { return pass[ids_N_]; }
    Tensor targets(const Pass& pass) const { return pass[targets_N_]; }

    // Sums over the scored tokens, in nats; z is weighted already.
    struct LossSums {
        double cross_entropy = 0, z = 0;
    };
    LossSums forward(const Pass& pass) const;
    // The same, and adds every parameter's gradient of their sum and of the routers' losses.
    // Called meanwhile, where they are there: `routed` when all routers have chosen and none has
    // gone backward, `begin(i)` before backward comes to bucket i, `ready(i)` when its gradients
    // are complete.
    struct Hooks {
        std::function<void()> routed;
        std::function<void(size_t bucket)> begin, ready;
    };
    LossSums forward_backward(const Pass& pass, const Hooks& hooks = {}) const;
    // Its two halves: what is queued, and what then waits for it. Of a dense model the first does
    // the same on every call but for the hooks, and reads nothing back.
    void queue_forward_backward(const Pass& pass, const Hooks& hooks = {}) const;
    LossSums read_losses(const Pass& pass) const;

    // The learned parameters in groups, in the order in which backward completes their gradients.
    const std::vector<std::vector<const Parameter*>>& buckets() const { return buckets_; }
    // Of the layers that have one, in their order.
    const std::vector<const Moe*>& mixtures() const { return mixtures_; }
    // The logits [1, vocabulary] that follow row n; planned for inference only. With a cache the
    // rows are appended to it: pass.rows ids at positions from pass.position.
    Tensor logits_after(const Pass& pass, int64_t row) const;
    // The losses in nats of tokens targets[i] as what follows row rows[i], of which there are at
    // most as many as planned rows; planned with a cache only. A row may be asked for several.
    std::vector<double> losses_after(const Pass& pass, std::span<const int32_t> rows,
                                     std::span<const int32_t> targets) const;
    // Without the head: routers choose, and a cache is appended to.
    void run_layers(const Pass& pass) const { hidden(pass, nullptr); }

  private:
    Tensor hidden(const Pass& pass, std::vector<Tensor>* inputs) const;
    LossHead::Losses losses(const Pass& pass) const { return {pass[loss_N_], pass[z_loss_N_]}; }
    void sum_losses(const Pass& pass) const;

    ModelConfig config_;
    Embedding embedding_;
    std::vector<std::unique_ptr<Block>> blocks_;
    RmsNorm final_norm_;
    std::unique_ptr<LossHead> head_;
    std::vector<Parameter*> parameters_;
    std::vector<std::vector<const Parameter*>> buckets_;
    std::vector<const Moe*> mixtures_;

    TensorId ids_N_, targets_N_, rotary_TD_, embedded_NC_, normed_NC_, loss_N_, z_loss_N_,
        loss_sums_2_;
    TensorId d_NC_, dnormed_NC_, sum_scratch_;
    TensorId asked_N_, asked_NC_;  // with a cache: rows that losses are asked of
};

}  // namespace polytrain
