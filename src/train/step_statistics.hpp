#pragma once
// What a step's micro-batches tell beside gradients: losses and the routers' loads. Numbers are
// kept by logical micro-batch and added in their order, so that no sum depends on the ranks.

#include <span>
#include <vector>

#include "model/transformer.hpp"

namespace polytrain {

// How tokens were spread over a layer's experts in a step.
struct RouterLoad {
    std::vector<int64_t> counts;  // of routed tokens, by expert
    double entropy = 0;           // of the probabilities, mean over the tokens, nats
    // The busiest expert's tokens over the mean.
    double highest() const;
};

class StepStatistics {
  public:
    StepStatistics(const Transformer& model, const Layout& layout);

    // Means over the scored tokens, in nats; over the routed tokens what comes of routers.
    struct Means {
        double loss = 0, z_loss = 0;
        // Weighted, as they are minimised.
        double balance_loss = 0, router_z_loss = 0;
    };

    void begin();
    // The routers have chosen in this micro-batch, which is one of the step's. Writes their
    // scope_counts where the scope is wider, unless set_counts() did.
    void routed(const Pass& pass);
    void add_losses(const Transformer::LossSums& sums);
    // For scope global with several micro-batches: counts one of them. count() of all, then
    // set_counts() before the first is trained on.
    void count(const Pass& pass);
    void set_counts(const Pass& pass);
    // After the last micro-batch; every rank then has the same numbers.
    void end(const Pass& pass, int64_t rounds);

    // Fills the loads' entropies too.
    Means means(int64_t scored, int64_t routed);
    const std::vector<RouterLoad>& loads() const { return loads_; }

  private:
    int64_t experts() const { return model_.mixtures()[0]->router().shape().experts; }
    // The routers' counts of the micro-batch that was run last, [layers, experts].
    std::vector<int64_t> read_counts(const Pass& pass) const;
    void write_scope_counts(const Pass& pass, std::span<const int64_t> counts) const;
    void sum_over_ranks(const Pass& pass, std::vector<int64_t>& counts, const char* label) const;

    const Transformer& model_;
    Layout layout_;
    size_t width_;                  // numbers of a micro-batch
    std::vector<double> table_;     // [micro-batches, width]: this rank's own, then all
    std::vector<int64_t> counts_;   // [layers, experts], of the step
    std::vector<int64_t> counted_;  // of the step, ahead of it; empty: not counted
    std::vector<double> totals_;
    std::vector<RouterLoad> loads_;
};

// Balancing without a loss (Wang et al., 2024): an expert's bias goes up by `rate` where it had
// fewer tokens than the mean, down where it had more.
void update_router_biases(const Pass& pass, const Transformer& model,
                          const std::vector<RouterLoad>& loads, double rate);

}  // namespace polytrain
