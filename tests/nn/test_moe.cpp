// The mixture of experts as a layer, and its router's two losses: their values and gradients.

#include "nn/layer_run.hpp"
#include "nn/moe.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr int64_t kExperts = 5, kHidden = 7;
constexpr double kSeed = 0.8;

struct Options {
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

    explicit Mixture(const Options& options) : layer("moe", shape(options)) {}
    MoeShape shape(const Options& options) const {
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

Pass seeded(const MoeRun& run) {
    Pass pass = run.pass();
    pass.auxiliary_seed = kSeed;
    return pass;
}
void forward(const MoeRun& run) {
    run.layer.forward(seeded(run), run[run.x_id], run[run.y_id]);
}
void backward(const MoeRun& run) {
    run.layer.backward(seeded(run), run[run.dy_id], run[run.x_id], run[run.dx_id]);
}
Tensor weight_of(const MoeRun& run) {
    return run[run.layer.parameters()[0]->value];
}
// Random parameters but for the bias, which is 0.
void clear_bias(const MoeRun& run) {
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

std::vector<double> counts_of(const Tensor& counts_E) {
    std::vector<double> counts;
    for (int64_t e = 0; e < kExperts; ++e) counts.push_back(read_element(counts_E, e));
    return counts;
}

// Of this micro-batch's tokens: sum_n (balance E sum_e f_e p_ne + z lse_n^2), f_e being counts_e
// over top_k times the tokens that were counted.
double router_losses(const MoeRun& run, const Options& options, const std::vector<double>& counts,
                     double counted_tokens) {
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
    std::vector<Options> all;
    for (const char* activation : {"polynorm", "relu", "polyrelu"})
        for (const int64_t top_k : {1, 2, 5})
            for (const bool renormalise : {false, true}) {
                Options options;
                options.activation = activation;
                options.top_k = top_k;
                options.renormalise = renormalise;
                options.gated = top_k == 2;
                options.per_expert = renormalise;
                options.shared_hidden = top_k == 2 ? 0 : 9;
                options.recompute = top_k == 5 ? Recompute::kActivation : Recompute::kNone;
                all.push_back(options);
            }
    for (const Options& options : all) {
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
        Options options;
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

TEST_CASE(
    "I11: a router's losses alone reach its weight and input in closed form, in every scope") {
    Random random("moe auxiliary");
    const Layout ranks{3, 1, 0};
    for (const BalanceScope scope :
         {BalanceScope::kMicro, BalanceScope::kMicroDp, BalanceScope::kGlobal})
        for (const auto& [balance, z] : {std::pair{0.7, 0.0}, std::pair{0.0, 0.3}}) {
            Options options;
            options.scope = scope;
            options.balance = balance;
            options.z = z;
            Mixture mixture(options);
            const MoeRun run(mixture.layer, kWidth, Recompute::kNone, random, ranks);
            clear_bias(run);
            run.machine.stream.zero(run[run.dy_id]);
            for (const Parameter* parameter : run.layer.parameters())
                if (parameter->learned) run.machine.stream.zero(run[parameter->gradient]);
            forward(run);
            const Tensor scope_counts = run.layer.router().scope_counts(run.pass());
            if (scope != BalanceScope::kMicro)  // some other ranks' tokens besides
                for (int64_t e = 0; e < kExperts; ++e)
                    write_element(scope_counts, e, static_cast<double>(3 + 5 * e));
            const auto counts = counts_of(scope_counts);
            backward(run);

            const double tokens = scope == BalanceScope::kMicro     ? kRows
                                  : scope == BalanceScope::kMicroDp ? 3 * kRows
                                                                    : kStepRows;
            const Softmax softmax(run);
            const auto x = values_of(run[run.x_id]), w = values_of(weight_of(run));
            std::vector<double> dw(w.size(), 0.0), dx(x.size(), 0.0);
            for (int64_t n = 0; n < kRows; ++n) {
                double mean = 0;  // count under the token's probabilities
                for (int64_t e = 0; e < kExperts; ++e)
                    mean += softmax.p(n, e) * counts[static_cast<size_t>(e)];
                for (int64_t e = 0; e < kExperts; ++e) {
                    const double above = counts[static_cast<size_t>(e)] - mean;
                    const double dlogit = kSeed * softmax.p(n, e) *
                                          (balance * kExperts / (2 * tokens) * above +
                                           2 * z * softmax.lse_N[static_cast<size_t>(n)]);
                    for (int64_t c = 0; c < kWidth; ++c) {
                        const auto xi = static_cast<size_t>(n * kWidth + c),
                                   wi = static_cast<size_t>(e * kWidth + c);
                        dw[wi] += dlogit * x[xi];
                        dx[xi] += dlogit * w[wi];
                    }
                }
            }
            INFO("balance " << balance << ", z " << z << ", " << tokens << " tokens");
            const Parameter& weight = *run.layer.parameters()[0];
            CHECK(relative_difference(dw, values_of(run[weight.gradient])) < 1e-12);
            CHECK(relative_difference(dx, values_of(run[run.dx_id])) < 1e-12);
            for (const Parameter* parameter : run.layer.parameters())
                if (parameter->learned && parameter != &weight) {
                    INFO(parameter->name);
                    for (const double g : values_of(run[parameter->gradient])) CHECK(g == 0);
                }
        }
}
