#pragma once
// A mixture of experts as a layer, alone and in f64, and its router computed again from the weight.

#include "nn/layer_run.hpp"
#include "nn/moe.hpp"

namespace polytrain::testing {

inline constexpr int64_t kExperts = 5, kHidden = 7;
inline constexpr double kSeed = 0.8;

struct MoeOptions {
    std::string activation = "polynorm";
    int64_t top_k = 2;
    bool gated = false, renormalise = false, per_expert = false;
    int64_t shared_hidden = 0;
    double balance = 0.7, z = 0.05;
    BalanceScope scope = BalanceScope::kMicro;
    Recompute recompute = Recompute::kNone;
};

// A layer with the catalogue that its activation is of.
struct Mixture {
    Machine machine{1};
    Moe layer;

    explicit Mixture(const MoeOptions& options) : layer("moe", shape(options)) {}
    MoeShape shape(const MoeOptions& options) const {
        const Init init = Init::constant(0);
        const FeedForwardShape expert{
            kWidth, kHidden, machine.ops.activations().find(options.activation), 3, options.gated,
            init,   init};
        return {{kWidth, kExperts, options.top_k, options.renormalise, options.balance, options.z,
                 options.scope, init},
                expert,
                options.per_expert,
                options.shared_hidden};
    }
};

using MoeRun = LayerRun<Moe>;

inline Pass seeded(const MoeRun& run) {
    Pass pass = run.pass();
    pass.auxiliary_seed = kSeed;
    return pass;
}
inline void forward(const MoeRun& run) {
    run.layer.forward(seeded(run), run[run.x_id], run[run.y_id]);
}
inline void backward(const MoeRun& run) {
    run.layer.backward(seeded(run), run[run.dy_id], run[run.x_id], run[run.dx_id]);
}
inline Tensor weight_of(const MoeRun& run) {
    return run[run.layer.parameters()[0]->value];
}
// Random parameters but for the bias, which is 0.
inline void clear_bias(const MoeRun& run) {
    run.machine.stream.zero(run[run.layer.router().bias().value]);
}

// Row by row, from the weight alone.
struct Softmax {
    std::vector<double> p_NE, lse_N;

    explicit Softmax(const MoeRun& run) {
        const std::vector<double> x = values_of(run[run.x_id]), w = values_of(weight_of(run));
        for (int64_t n = 0; n < kRows; ++n) {
            std::vector<double> logits;
            double sum = 0;
            for (int64_t e = 0; e < kExperts; ++e) {
                double logit = 0;
                for (int64_t c = 0; c < kWidth; ++c)
                    logit += x[static_cast<size_t>(n * kWidth + c)] *
                             w[static_cast<size_t>(e * kWidth + c)];
                logits.push_back(logit);
                sum += std::exp(logit);
            }
            for (const double logit : logits) p_NE.push_back(std::exp(logit) / sum);
            lse_N.push_back(std::log(sum));
        }
    }
    double p(int64_t n, int64_t e) const { return p_NE[static_cast<size_t>(n * kExperts + e)]; }
};

inline std::vector<double> counts_of(const Tensor& counts_E) {
    std::vector<double> counts;
    for (int64_t e = 0; e < kExperts; ++e) counts.push_back(read_element(counts_E, e));
    return counts;
}

}  // namespace polytrain::testing
