// RMSNorm on vector lanes: each row is read from memory once, its second pass finds it in cache.

#include "ops/rms_norm.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rms_norm.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/norm_row-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

template <class T>
struct ForwardRows : NormForward<T> {
    const RmsNormForward& op;
    int64_t width = op.x_NC.dim(1);
    PairedColumns<T> gain{op.gain_C.as<float>(), width};
    RowStream<T> out{op.y_NC, width};

    explicit ForwardRows(const RmsNormForward& described) : op(described) {}
    HWY_INLINE auto first(int64_t n) const {
        return typename NormForward<T>::First{op.x_NC.as<T>() + n * width, &out};
    }
    HWY_INLINE auto second(int64_t n, const typename NormForward<T>::First& first) const {
        const float rstd = first.rstd(width, op.eps);
        op.rstd_N.as<float>()[n] = rstd;
        return typename NormForward<T>::Second{first.x, gain.data(), rstd,
                                               op.y_NC.as<T>() + n * width, &out};
    }
};

template <class T>
struct BackwardRows : NormBackward<T> {
    const RmsNormBackward& op;
    int64_t width = op.x_NC.dim(1);
    PairedColumns<T> gain{op.gain_C.as<float>(), width}, dgain{width};
    RowStream<T> out{op.dx_NC, width};

    explicit BackwardRows(const RmsNormBackward& described) : op(described) {}
    HWY_INLINE auto first(int64_t n) {
        return typename NormBackward<T>::First{op.x_NC.as<T>() + n * width,
                                               op.dy_NC.as<T>() + n * width,
                                               gain.data(),
                                               op.rstd_N.as<float>()[n],
                                               dgain.data(),
                                               &out};
    }
    HWY_INLINE auto second(int64_t n, const typename NormBackward<T>::First& first) const {
        return typename NormBackward<T>::Second{first.x,
                                                first.dy,
                                                gain.data(),
                                                first.rstd,
                                                first.through_norm(width),
                                                op.dx_NC.as<T>() + n * width,
                                                &out};
    }
};

}  // namespace

void rms_norm_forward_rows(const RmsNormForward& op, int64_t begin, int64_t end) {
    with_storage(op.x_NC, [&]<class T>(T) HWY_ATTR {
        ForwardRows<T> rows(op);
        for_rows_in_two_passes(begin, end, rows.width, rows);
    });
}
// dgain_C: what these rows add to it.
void rms_norm_backward_rows(const RmsNormBackward& op, int64_t begin, int64_t end, float* dgain_C) {
    with_storage(op.x_NC, [&]<class T>(T) HWY_ATTR {
        BackwardRows<T> rows(op);
        for_rows_in_two_passes(begin, end, rows.width, rows);
        rows.dgain.copy_to(dgain_C);
    });
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
        HWY_DYNAMIC_DISPATCH(rms_norm_backward_rows)
        (op, rows.begin(part), rows.end(part), sums + part * width);
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
