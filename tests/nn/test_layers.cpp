// Each layer alone, in f64: the gradients of its input and parameters against central differences.

#include "nn/attention.hpp"
#include "nn/feed_forward.hpp"
#include "nn/layer_run.hpp"
#include "nn/loss_head.hpp"
#include "nn/rms_norm.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("layers: attention with every norm of queries and keys, grouped heads") {
    Random random("layer attention");
    for (const std::optional<QkNormKind> qk_norm :
         {std::optional<QkNormKind>(), std::optional(QkNormKind::kFull),
          std::optional(QkNormKind::kHead)}) {
        Attention layer("attention",
                        {kWidth, 2, 1, Init::constant(0), Init::constant(0), qk_norm, 1e-5});
        const LayerRun<Attention> run(layer, kWidth, Recompute::kNone, random);
        check_layer(
            run,
            [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.table_id], r[r.y_id]); },
            [](const auto& r) {
                r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.table_id], r[r.dx_id]);
            },
            random);
    }
}

TEST_CASE("layers: feed-forward with every activation, plain and gated, kept and recomputed") {
    Random random("layer feed-forward");
    const Machine machine(1);
    for (const ActivationInfo& info : machine.ops.activations().all())
        for (const bool gated : {false, true})
            for (const Recompute recompute : {Recompute::kNone, Recompute::kActivation}) {
                INFO(info.name << (gated ? ", gated" : ""));
                FeedForward layer("feed_forward", {kWidth, 9, &info, info.has_order() ? 3 : 0,
                                                   gated, Init::constant(0), Init::constant(0)});
                const LayerRun<FeedForward> run(layer, kWidth, recompute, random);
                check_layer(
                    run, [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.y_id]); },
                    [](const auto& r) {
                        r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.dx_id]);
                    },
                    random);
            }
}

TEST_CASE("layers: RMSNorm and linear") {
    Random random("layer norm");
    const auto forward = [](const auto& r) { r.layer.forward(r.pass(), r[r.x_id], r[r.y_id]); };
    const auto backward = [](const auto& r) {
        r.layer.backward(r.pass(), r[r.dy_id], r[r.x_id], r[r.dx_id]);
    };
    RmsNorm norm("norm", kWidth, 1e-5);
    check_layer(LayerRun<RmsNorm>(norm, kWidth, Recompute::kNone, random), forward, backward,
                random);
    Linear linear("linear", kWidth, 7, Init::constant(0));
    check_layer(LayerRun<Linear>(linear, 7, Recompute::kNone, random), forward, backward, random);
}

TEST_CASE("layers: the loss head with z-loss") {
    Random random("layer loss head");
    LossHead layer("head", 7, kWidth, Init::constant(0), 0.05);
    const LayerRun<LossHead> run(layer, 2, Recompute::kNone, random);
    std::vector<int32_t> targets;
    for (int64_t n = 0; n < kRows; ++n)
        targets.push_back(static_cast<int32_t>(random.integer(-1, 6)));
    const Tensor targets_N{targets.data(), {kRows}, DType::kI32, {}};
    std::vector<double> losses(2 * kRows);  // y holds both losses, a column block each
    const auto losses_of = [&] {
        return LossHead::Losses{{losses.data(), {kRows}, DType::kF64, {}},
                                {losses.data() + kRows, {kRows}, DType::kF64, {}}};
    };
    std::fill_n(run[run.dy_id].as<double>(), 2 * kRows, 1.0);
    check_layer(
        run,
        [&](const auto& r) {
            r.layer.forward(r.pass(), r[r.x_id], targets_N, losses_of());
            std::copy(losses.begin(), losses.end(), r[r.y_id].template as<double>());
        },
        [&](const auto& r) {
            r.layer.forward_backward(r.pass(), r[r.x_id], targets_N, losses_of(), r[r.dx_id]);
        },
        random);
}
