// The mixture of experts as a layer: what it computes, and every gradient.

#include "nn/moe_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Of this micro-batch's tokens: sum_n (balance E sum_e f_e p_ne + z lse_n^2), f_e being counts_e
// over top_k times the tokens that were counted.
double router_losses(const MoeRun& run, const MoeOptions& options,
                     const std::vector<double>& counts, double counted_tokens) {
    const Softmax softmax(run);
    double sum = 0;
    for (int64_t n = 0; n < kRows; ++n) {
        for (int64_t e = 0; e < kExperts; ++e)
            sum += options.balance * kExperts * counts[static_cast<size_t>(e)] * softmax.p(n, e) /
                   (static_cast<double>(options.top_k) * counted_tokens);
        const double lse = softmax.lse_N[static_cast<size_t>(n)];
        sum += options.z * lse * lse;
    }
    return sum;
}

}  // namespace

TEST_CASE("moe: gradients of the layer, its router and both of the router's losses") {
    Random random("moe layer");
    std::vector<MoeOptions> all;
    for (const char* activation : {"polynorm", "relu", "polyrelu"})
        for (const int64_t top_k : {1, 2, 5})
            for (const bool renormalise : {false, true}) {
                MoeOptions options;
                options.activation = activation;
                options.top_k = top_k;
                options.renormalise = renormalise;
                options.gated = top_k == 2;
                options.per_expert = renormalise;
                options.shared_hidden = top_k == 2 ? 0 : 9;
                options.recompute = top_k == 5 ? Recompute::kActivation : Recompute::kNone;
                all.push_back(options);
            }
    for (const MoeOptions& options : all) {
        INFO(options.activation << ", top " << options.top_k
                                << (options.renormalise ? ", renormalised" : ""));
        Mixture mixture(options);
        const MoeRun run(mixture.layer, kWidth, options.recompute, random);
        clear_bias(run);
        const auto auxiliary = [&] {
            const auto counts = counts_of(run.layer.router().counts(run.pass()));
            return kSeed * router_losses(run, options, counts, kRows);
        };
        check_layer(run, forward, backward, random, auxiliary);
    }
}

TEST_CASE("moe: y is the sum of the chosen experts by their weights, and the shared part") {
    Random random("moe sum");
    for (const bool renormalise : {false, true}) {
        MoeOptions options;
        options.renormalise = renormalise;
        options.activation = "relu";
        options.shared_hidden = 9;
        Mixture mixture(options);
        const MoeRun run(mixture.layer, kWidth, Recompute::kNone, random);
        clear_bias(run);
        forward(run);
        const std::vector<Parameter*> parameters = run.layer.parameters();
        REQUIRE(parameters[4]->name == "moe.shared.up");
        const auto weights = [&](size_t i) { return values_of(run[parameters[i]->value]); };
        const auto up = weights(2), down = weights(3), shared_up = weights(4),
                   shared_down = weights(5);
        const auto x = values_of(run[run.x_id]), y = values_of(run[run.y_id]);
        const Softmax softmax(run);
        // Adds scale times expert e of up [E, hidden, C] and down [E, C, hidden].
        const auto add = [&](std::vector<double>& to, int64_t n, const auto& up_w,
                             const auto& down_w, int64_t hidden, int64_t e, double scale) {
            for (int64_t h = 0; h < hidden; ++h) {
                double sum = 0;
                for (int64_t c = 0; c < kWidth; ++c)
                    sum += up_w[static_cast<size_t>((e * hidden + h) * kWidth + c)] *
                           x[static_cast<size_t>(n * kWidth + c)];
                for (int64_t c = 0; c < kWidth; ++c)
                    to[static_cast<size_t>(n * kWidth + c)] +=
                        scale * std::max(sum, 0.0) *
                        down_w[static_cast<size_t>((e * kWidth + c) * hidden + h)];
            }
        };
        std::vector<double> expected(y.size(), 0.0);
        for (int64_t n = 0; n < kRows; ++n) {
            std::vector<std::pair<double, int64_t>> order;
            for (int64_t e = 0; e < kExperts; ++e) order.emplace_back(-softmax.p(n, e), e);
            std::sort(order.begin(), order.end());
            const double total = renormalise ? -order[0].first - order[1].first : 1;
            for (size_t k = 0; k < 2; ++k)
                add(expected, n, up, down, kHidden, order[k].second, -order[k].first / total);
            add(expected, n, shared_up, shared_down, 9, 0, 1);
        }
        CHECK(relative_difference(expected, y) < 1e-12);
    }
}
