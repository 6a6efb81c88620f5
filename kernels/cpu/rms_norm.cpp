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

// One row of a tensor.
template <class T>
HWY_INLINE T* row_of(const Tensor& tensor, int64_t n, int64_t width) {
    return tensor.as<T>() + n * width;
}

template <class T, bool kAdds>
struct ForwardRows {
    using First = typename NormForward<T, kAdds>::First;
    using Second = typename NormForward<T, kAdds>::Second;

    const RmsNormForward& op;
    int64_t width = op.x_NC.dim(1);
    PairedColumns<T> gain{op.gain_C.as<float>(), width};
    RowStream<T> out{op.y_NC, width}, sum_out{op.sum_NC, width};

    HWY_INLINE First first(int64_t n) const {
        NormInput<T, kAdds> in{row_of<T>(op.x_NC, n, width)};
        if constexpr (kAdds) in.residual = row_of<T>(op.residual_NC, n, width);
        return {in, &out};
    }
    HWY_INLINE Second second(int64_t n, const First& first) const {
        const float rstd = first.rstd(width, op.eps);
        op.rstd_N.as<float>()[n] = rstd;
        Second second{first.in, gain.data(), rstd, row_of<T>(op.y_NC, n, width), &out};
        second.sum_out = &sum_out;
        if constexpr (kAdds) second.sum = row_of<T>(op.sum_NC, n, width);
        return second;
    }
};

template <class T, bool kAdds>
struct BackwardRows {
    using First = typename NormBackward<T, kAdds>::First;
    using Second = typename NormBackward<T, kAdds>::Second;

    const RmsNormBackward& op;
    int64_t width = op.x_NC.dim(1);
    PairedColumns<T> gain{op.gain_C.as<float>(), width}, dgain{width};
    RowStream<T> out{op.dx_NC, width};

    HWY_INLINE First first(int64_t n) {
        return {row_of<T>(op.x_NC, n, width),
                row_of<T>(op.dy_NC, n, width),
                gain.data(),
                op.rstd_N.as<float>()[n],
                dgain.data(),
                &out};
    }
    HWY_INLINE Second second(int64_t n, const First& first) const {
        Second second{first.x,
                      first.dy,
                      gain.data(),
                      first.rstd,
                      first.through_norm(width),
                      row_of<T>(op.dx_NC, n, width),
                      &out};
        if constexpr (kAdds) second.dskip = row_of<T>(op.dskip_NC, n, width);
        return second;
    }
};

// Storage type and whether the op adds to template arguments: f.template operator()<T, kAdds>().
template <class Op, class F>
void with_kind(const Op& op, const F& f) {
    with_storage(op.x_NC, [&]<class T>(T) {
        op.adds() ? f.template operator()<T, true>() : f.template operator()<T, false>();
    });
}

}  // namespace

void rms_norm_forward_rows(const RmsNormForward& op, int64_t begin, int64_t end) {
    with_kind(op, [&]<class T, bool kAdds>() HWY_ATTR {
        ForwardRows<T, kAdds> rows{op};
        for_rows_in_two_passes(begin, end, rows.width, rows);
    });
}
// dgain_C: what these rows add to it.
void rms_norm_backward_rows(const RmsNormBackward& op, int64_t begin, int64_t end, float* dgain_C) {
    with_kind(op, [&]<class T, bool kAdds>() HWY_ATTR {
        BackwardRows<T, kAdds> rows{op};
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
