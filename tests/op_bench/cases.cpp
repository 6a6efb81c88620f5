#include "op_bench/bench.hpp"
#include "op_bench/timing.hpp"
#include "ops/activation.hpp"
#include "ops/adamw.hpp"
#include "ops/attention.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/elementwise.hpp"
#include "ops/grouped_linear.hpp"
#include "ops/linear.hpp"
#include "ops/rms_norm.hpp"

namespace polytrain::bench {
namespace {

Tensor f32(Shape shape) {
    return described(shape, DType::kF32);
}

// Forward, then backward, of an activation over rows of `width`.
void time_activation(Bench& bench, const Sizes& s, const std::string& name, bool gated,
                     int64_t width) {
    const int64_t rows = s.memory_rows(width);
    const ActivationInfo* info = bench.ops.activations().find(name);
    PT_CHECK(info != nullptr, "no activation {}", name);
    const int order = info->has_order() ? 3 : 0;
    const Tensor x = s.stored({rows, gated ? 2 * width : width}), y = s.stored({rows, width}),
                 a = f32({info->coefficients(order)}), rstd = f32({rows, info->statistics(order)});
    const std::string text = fmt::format("{}{} {} x {}", gated ? "gated " : "", name, rows, width);
    time_op(bench, text + " forward", ActivationForward{info, order, gated, x, a, y, rstd});
    time_op(bench, text + " backward",
            ActivationBackward{info, order, gated, x, a, rstd, y, x, a, {}});
}

AttentionForward attention_forward(const Sizes& s) {
    const int64_t width = s.width;
    return {s.stored({s.rows(), 3 * width}),
            s.stored({s.rows(), width}),
            f32({s.rows(), s.heads}),
            {},
            s.time,
            s.heads,
            s.heads};
}
AttentionBackward attention_backward(const Sizes& s) {
    const AttentionForward f = attention_forward(s);
    return {f.qkv_NP, f.y_NQ, f.lse_NH, f.y_NQ, f.qkv_NP, {}, s.time, s.heads, s.heads};
}

// Whether two runs of an op, each in memory of its own, leave the same bits.
template <class Op>
void repeat_op(Bench& bench, const std::string& name, const Op& op) {
    std::vector<std::byte> first;
    bool same = true;
    for (int run = 0; run < 4; ++run) {
        const OnDevice<Op> prepared(bench, op);
        prepared.run();
        const std::vector<std::byte> results = prepared.results();
        if (run == 0)
            first = results;
        else
            same = same && results == first;
    }
    bench.results.push_back(
        {{"op", name}, {"implementation", bench.ops.choice(op)}, {"same_bits", same}});
}

}  // namespace

void bench_memory_bound(Bench& bench, const Sizes& s) {
    const int64_t rows = s.memory_rows(s.width);
    const Tensor x = s.stored({rows, s.width}), gain = f32({s.width}), rstd = f32({rows});
    const std::string shape = fmt::format(" {} x {}", rows, s.width);
    time_op(bench, "rms_norm" + shape + " forward", RmsNormForward{x, gain, x, rstd});
    time_op(bench, "rms_norm" + shape + " backward",
            RmsNormBackward{x, gain, rstd, x, x, gain, {}});
    time_op(bench, "rms_norm of a sum" + shape + " forward",
            RmsNormForward{x, gain, x, rstd, 1e-5, x, x});
    time_op(bench, "rms_norm added" + shape + " backward",
            RmsNormBackward{x, gain, rstd, x, x, gain, {}, x});
    time_op(bench, "add" + shape, Add{x, x, x});
    time_activation(bench, s, "polynorm", false, s.hidden);
    time_activation(bench, s, "polyrelu", false, s.hidden);
    time_activation(bench, s, "silu", true, s.gated);
    AdamW adamw;
    adamw.weight = s.stored({s.parameters});
    if (s.storage == DType::kBf16) adamw.remainder = described({s.parameters}, DType::kI16);
    adamw.gradient = adamw.m = adamw.v = f32({s.parameters});
    time_op(bench, fmt::format("adamw {}", s.parameters), adamw);
}

void bench_products(Bench& bench, const Sizes& s) {
    for (const auto& [in, out] : {std::pair{s.width, 3 * s.width},
                                  {s.width, s.hidden},
                                  {s.hidden, s.width},
                                  {s.width, s.vocabulary}}) {
        const int64_t rows = out == s.vocabulary && s.head_rows > 0 ? s.head_rows : s.rows();
        const Tensor x = s.stored({rows, in}), y = s.stored({rows, out}), w = s.stored({out, in});
        const double flops = 2.0 * static_cast<double>(rows * in * out);
        const std::string shape = fmt::format("linear {} x {} x {}", rows, in, out);
        time_op(bench, shape + " forward", LinearForward{x, w, y, {}}, flops);
        time_op(bench, shape + " input's gradient", LinearBackwardInput{y, w, x, {}}, flops);
        time_op(bench, shape + " weight's gradient", LinearBackwardWeight{y, x, f32({out, in}), {}},
                flops);
    }
    // As many rows to each expert.
    const int64_t routed = s.experts * s.expert_rows;
    std::vector<int64_t> offsets;
    for (int64_t e = 0; e <= s.experts; ++e) offsets.push_back(e * s.expert_rows);
    const Buffer memory(*bench.backend, offsets.size() * sizeof(int64_t));
    const Tensor offsets_G{memory.data(), {s.experts + 1}, DType::kI64, bench.backend->device()};
    bench.stream.upload(offsets_G, offsets.data(), offsets_G.bytes());
    const Tensor x = s.stored({routed, s.width}), y = s.stored({routed, s.expert_hidden}),
                 w = s.stored({s.experts, s.expert_hidden, s.width});
    const double flops = 2.0 * static_cast<double>(routed * s.width * s.expert_hidden);
    const std::string shape = fmt::format("grouped_linear {} of {} x {} x {}", s.experts,
                                          s.expert_rows, s.width, s.expert_hidden);
    time_op(bench, shape + " forward", GroupedLinearForward{x, w, y, offsets_G, {}, offsets.data()},
            flops);
    time_op(bench, shape + " input's gradient",
            GroupedLinearBackwardInput{y, w, x, offsets_G, {}, offsets.data()}, flops);
    time_op(bench, shape + " weight's gradient",
            GroupedLinearBackwardWeight{
                y, x, f32({s.experts, s.expert_hidden, s.width}), offsets_G, {}, offsets.data()},
            flops);
}

void bench_attention(Bench& bench, const Sizes& s) {
    // q k^T and p v, of which the causal mask leaves half; five such products backward.
    const double square = 2.0 * static_cast<double>(s.rows() * s.time * s.width) / 2;
    const std::string shape = fmt::format("attention {} x {} x {}", s.sequences, s.time, s.width);
    time_op(bench, shape + " forward", attention_forward(s), 2 * square);
    time_op(bench, shape + " backward", attention_backward(s), 5 * square);
}

void repeat_ops(Bench& bench, const Sizes& s) {
    repeat_op(bench, "attention forward", attention_forward(s));
    repeat_op(bench, "attention backward", attention_backward(s));
    const int64_t rows = s.rows();
    const Tensor x = s.stored({rows, s.width}), y = s.stored({rows, s.hidden});
    const Tensor gain = f32({s.width}), rstd = f32({rows});
    repeat_op(bench, "linear weight's gradient",
              LinearBackwardWeight{y, x, f32({s.hidden, s.width}), {}});
    repeat_op(bench, "rms_norm backward", RmsNormBackward{x, gain, rstd, x, x, gain, {}});
    const ActivationInfo* info = bench.ops.activations().find("polynorm");
    const Tensor a = f32({info->coefficients(3)}), statistics = f32({rows, 3});
    repeat_op(bench, "polynorm backward",
              ActivationBackward{info, 3, false, y, a, statistics, y, y, a, {}});
}

}  // namespace polytrain::bench
