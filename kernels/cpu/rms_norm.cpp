// RMSNorm on vector lanes: each row is read from memory once, its second pass finds it in cache.

#include "ops/rms_norm.hpp"

#include <cmath>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rms_norm.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

void rms_norm_forward_rows(const RmsNormForward& op, int64_t begin, int64_t end) {
    const int64_t width = op.x_NC.dim(1);
    const float* gain = op.gain_C.as<float>();
    for (int64_t n = begin; n < end; ++n) {
        const float* x = op.x_NC.as<float>() + n * width;
        float* y = op.y_NC.as<float>() + n * width;
        Lanes squares = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
            const Lanes value = lanes.read(x + c);
            squares = multiply_add(value, value, squares);
        });
        const auto rstd = static_cast<float>(
            1 /
            std::sqrt(static_cast<double>(sum_of(squares)) / static_cast<double>(width) + op.eps));
        op.rstd_N.as<float>()[n] = rstd;
        for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
            lanes.write(lanes.read(x + c) * Lanes(rstd) * lanes.read(gain + c), y + c);
        });
    }
}

// Adds the rows' share of dgain to sums_C.
void rms_norm_backward_rows(const RmsNormBackward& op, int64_t begin, int64_t end, float* sums_C) {
    const int64_t width = op.x_NC.dim(1);
    const float* gain = op.gain_C.as<float>();
    for (int64_t n = begin; n < end; ++n) {
        const float* x = op.x_NC.as<float>() + n * width;
        const float* dy = op.dy_NC.as<float>() + n * width;
        float* dx = op.dx_NC.as<float>() + n * width;
        const float rstd = op.rstd_N.as<float>()[n];
        Lanes dot = zero_lanes();
        for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
            const Lanes g = lanes.read(dy + c), value = lanes.read(x + c);
            dot = multiply_add(g * lanes.read(gain + c), value, dot);
            lanes.write(multiply_add(g * value, Lanes(rstd), lanes.read(sums_C + c)), sums_C + c);
        });
        // dx = rstd (dy gain - x rstd^2 mean(dy gain x))
        const float through_norm = rstd * rstd * sum_of(dot) / static_cast<float>(width);
        for_lanes(width, [&](auto lanes, int64_t c) HWY_ATTR {
            const Lanes h = lanes.read(dy + c) * lanes.read(gain + c);
            lanes.write(Lanes(rstd) * (h - lanes.read(x + c) * Lanes(through_norm)), dx + c);
        });
    }
}

// to_c += sum over parts of sums[part, c], in order, for columns [begin, end).
void add_part_sums(const float* sums, int64_t parts, int64_t width, int64_t begin, int64_t end,
                   float* to) {
    for_lanes(end - begin, [&](auto lanes, int64_t i) HWY_ATTR {
        const int64_t c = begin + i;
        Lanes total = lanes.read(to + c);
        for (int64_t part = 0; part < parts; ++part)
            total = total + lanes.read(sums + part * width + c);
        lanes.write(total, to + c);
    });
}

}  // namespace
}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(rms_norm_forward_rows);
HWY_EXPORT(rms_norm_backward_rows);
HWY_EXPORT(add_part_sums);

Partition parts_of(const Tensor& x_NC) {
    return row_parts(x_NC.dim(0), x_NC.dim(1));
}

void backward(const RmsNormBackward& op, ThreadPool& pool) {
    const int64_t width = op.x_NC.dim(1);
    const Partition rows = parts_of(op.x_NC);
    auto* sums = static_cast<float*>(op.scratch.data);  // [parts, C]
    pool.run(rows.parts(), [&](int64_t part, int) {
        float* own = sums + part * width;
        std::fill(own, own + width, 0.0f);
        HWY_DYNAMIC_DISPATCH(rms_norm_backward_rows)(op, rows.begin(part), rows.end(part), own);
    });
    const Partition columns{width, 256};
    pool.run(columns.parts(), [&](int64_t part, int) {
        HWY_DYNAMIC_DISPATCH(add_part_sums)
        (sums, rows.parts(), width, columns.begin(part), columns.end(part), op.dgain_C.as<float>());
    });
}

}  // namespace

void register_rms_norm(OpTable& table, ThreadPool& pool) {
    add_f32<RmsNormForward>(table, &RmsNormForward::x_NC, [&pool](const RmsNormForward& op) {
        const Partition rows = parts_of(op.x_NC);
        pool.run(rows.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(rms_norm_forward_rows)(op, rows.begin(part), rows.end(part));
        });
    });
    add_f32<RmsNormBackward>(
        table, &RmsNormBackward::x_NC, [&pool](const RmsNormBackward& op) { backward(op, pool); },
        [](const RmsNormBackward& op) {
            return static_cast<size_t>(parts_of(op.x_NC).parts() * op.x_NC.dim(1)) * sizeof(float);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
