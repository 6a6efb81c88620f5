// RMSNorm on vector lanes: each row is read from memory once, its second pass finds it in cache.

#include "ops/rms_norm.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rms_norm.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/norm_row-inl.hpp"
#include "kernels/cpu/row_stream-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void forward_rows(const RmsNormForward& op, int64_t begin, int64_t end) {
    const int64_t width = op.x_NC.dim(1);
    const float* gain = op.gain_C.as<float>();
    RowStream<T> y(op.y_NC);
    for (int64_t n = begin; n < end; ++n) {
        y.expect(op.x_NC.as<T>() + (n + 1) * width, width);
        op.rstd_N.as<float>()[n] =
            norm_row_forward(op.x_NC.as<T>() + n * width, gain, width, op.eps, y.row(n));
        y.done(n);
    }
}

// Adds the rows' share of dgain to sums_C.
template <class T>
void backward_rows(const RmsNormBackward& op, int64_t begin, int64_t end, float* sums_C) {
    const int64_t width = op.x_NC.dim(1);
    const float* gain = op.gain_C.as<float>();
    RowStream<T> dx(op.dx_NC);
    for (int64_t n = begin; n < end; ++n) {
        dx.expect(op.x_NC.as<T>() + (n + 1) * width, width);
        dx.expect(op.dy_NC.as<T>() + (n + 1) * width, width);
        norm_row_backward(op.x_NC.as<T>() + n * width, op.dy_NC.as<T>() + n * width, gain,
                          op.rstd_N.as<float>()[n], width, dx.row(n), sums_C);
        dx.done(n);
    }
}

}  // namespace

void rms_norm_forward_rows(const RmsNormForward& op, int64_t begin, int64_t end) {
    with_storage(op.x_NC, [&](auto t) { forward_rows<decltype(t)>(op, begin, end); });
}
void rms_norm_backward_rows(const RmsNormBackward& op, int64_t begin, int64_t end, float* sums_C) {
    with_storage(op.x_NC, [&](auto t) { backward_rows<decltype(t)>(op, begin, end, sums_C); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(rms_norm_forward_rows);
HWY_EXPORT(rms_norm_backward_rows);

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
    add_part_sums(pool, sums, rows.parts(), width, op.dgain_C.as<float>(), width);
}

}  // namespace

void register_rms_norm(OpTable& table, ThreadPool& pool) {
    add_cpu<RmsNormForward>(table, &RmsNormForward::x_NC, [&pool](const RmsNormForward& op) {
        const Partition rows = parts_of(op.x_NC);
        pool.run(rows.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(rms_norm_forward_rows)(op, rows.begin(part), rows.end(part));
        });
    });
    add_cpu<RmsNormBackward>(
        table, &RmsNormBackward::x_NC, [&pool](const RmsNormBackward& op) { backward(op, pool); },
        [](const RmsNormBackward& op) {
            return static_cast<size_t>(parts_of(op.x_NC).parts() * op.x_NC.dim(1)) * sizeof(float);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
