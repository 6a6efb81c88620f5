// The losses of a router against their closed forms.

#include "nn/moe_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE(
    "I11: a router's losses alone reach its weight and input in closed form, in every scope") {
    Random random("moe auxiliary");
    const Layout ranks{3, 1, 0};
    for (const BalanceScope scope :
         {BalanceScope::kMicro, BalanceScope::kMicroDp, BalanceScope::kGlobal})
        for (const auto& [balance, z] : {std::pair{0.7, 0.0}, std::pair{0.0, 0.3}}) {
            MoeOptions options;
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
