// One block to a row at a time. The row is read once: each thread keeps its packs in shared memory,
// which no other thread touches, so that only the sums need barriers.

#include "ops/rms_norm.hpp"

#include "kernels/cuda/norm_rows.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// How much of a block's shared memory keeps what: floats for columns first, then rows of T.
struct Layout {
    int64_t columns = 0;  // the width, rounded up to packs of 8
    bool keeps_columns = false;
    bool keeps_rows = false;
    size_t bytes = 0;
};
Layout layout_for(int64_t width, int column_arrays, int rows, size_t element, size_t most) {
    Layout layout;
    layout.columns = (width + 7) / 8 * 8;
    const size_t columns =
        static_cast<size_t>(layout.columns) * sizeof(float) * static_cast<size_t>(column_arrays);
    const size_t row = static_cast<size_t>(layout.columns) * element * static_cast<size_t>(rows);
    most -= 1024;  // what kernels declare themselves
    layout.keeps_columns = columns <= most;
    if (layout.keeps_columns) layout.bytes = columns;
    layout.keeps_rows = layout.bytes + row <= most;
    if (layout.keeps_rows) layout.bytes += row;
    return layout;
}

// With residual_NC, x + residual is normed and left in sum_NC.
template <class T, bool kAdds>
__global__ void __launch_bounds__(512)
    rms_norm_forward(const T* x_NC, const T* residual_NC, const float* gain_C, T* sum_NC, T* y_NC,
                     float* rstd_N, NormRows in, float eps, Layout layout) {
    const int64_t rows = in.rows, width = in.width;
    DYNAMIC_SHARED(float, gain);
    T* const kept = reinterpret_cast<T*>(gain + (layout.keeps_columns ? layout.columns : 0));
    SHARED_ARRAY(float, sums, 32);
    const int64_t step = int64_t{blockDim.x} * kPack<T>;
    if (layout.keeps_columns)
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step)
            for (int i = 0; i < kPack<T> && c + i < width; ++i) gain[c + i] = gain_C[c + i];
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x) {
        const T* x = x_NC + n * in.stride;
        const auto load_input = [&](int64_t c, float(&v)[kPack<T>]) {
            load_pack(x + c, width - c, v);
            if constexpr (kAdds) {
                float other[kPack<T>];
                load_pack(residual_NC + n * in.stride + c, width - c, other);
#pragma unroll
                for (int i = 0; i < kPack<T>; ++i) v[i] += other[i];
                unpack(pack(v), v);  // as it is stored
            }
        };
        float squares[1] = {0.0f};
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step) {
            float v[kPack<T>];
            load_input(c, v);
            if (layout.keeps_rows) store_16(kept + c, pack(v));
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i) squares[0] += v[i] * v[i];
        }
        block_sums(squares, sums);
        const float rstd = rsqrtf(squares[0] / static_cast<float>(width) + eps);
        if (threadIdx.x == 0) rstd_N[n * in.rstd_stride] = rstd;
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step) {
            float v[kPack<T>];
            if (layout.keeps_rows)
                unpack(load_16(kept + c), v);
            else
                load_input(c, v);
            if constexpr (kAdds) store_pack(sum_NC + n * in.stride + c, width - c, v);
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i)
                if (c + i < width)
                    v[i] *= rstd * (layout.keeps_columns ? gain[c + i] : gain_C[c + i]);
            store_pack(y_NC + n * in.stride + c, width - c, v);
        }
        __syncthreads();  // before the next row's sums
    }
}

// parts_BC: what each block's rows add to dgain. dskip_NC is added to dx_NC.
template <class T, bool kAdds>
__global__ void __launch_bounds__(512)
    rms_norm_backward(const T* x_NC, const float* gain_C, const float* rstd_N, const T* dy_NC,
                      const T* dskip_NC, T* dx_NC, float* parts_BC, NormRows in, Layout layout) {
    const int64_t rows = in.rows, width = in.width;
    DYNAMIC_SHARED(float, gain);
    const int64_t columns = layout.keeps_columns ? layout.columns : 0;
    float* const dgain = layout.keeps_columns ? gain + columns : parts_BC + blockIdx.x * width;
    T* const kept_x = reinterpret_cast<T*>(gain + 2 * columns);
    T* const kept_dy = kept_x + layout.columns;
    SHARED_ARRAY(float, sums, 32);
    const int64_t step = int64_t{blockDim.x} * kPack<T>;
    for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step)
        for (int i = 0; i < kPack<T> && c + i < width; ++i) {
            if (layout.keeps_columns) gain[c + i] = gain_C[c + i];
            dgain[c + i] = 0;
        }
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x) {
        const T *x = x_NC + n * in.stride, *dy = dy_NC + n * in.stride;
        const float rstd = rstd_N[n * in.rstd_stride];
        float product[1] = {0.0f};
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step) {
            float vx[kPack<T>], vdy[kPack<T>];
            load_pack(x + c, width - c, vx);
            load_pack(dy + c, width - c, vdy);
            if (layout.keeps_rows) {
                store_16(kept_x + c, pack(vx));
                store_16(kept_dy + c, pack(vdy));
            }
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i)
                if (c + i < width) {
                    const float xhat = vx[i] * rstd;
                    dgain[c + i] += vdy[i] * xhat;
                    product[0] +=
                        vdy[i] * (layout.keeps_columns ? gain[c + i] : gain_C[c + i]) * xhat;
                }
        }
        block_sums(product, sums);
        const float mean = product[0] / static_cast<float>(width);
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step) {
            float vx[kPack<T>], vdy[kPack<T>];
            if (layout.keeps_rows) {
                unpack(load_16(kept_x + c), vx);
                unpack(load_16(kept_dy + c), vdy);
            } else {
                load_pack(x + c, width - c, vx);
                load_pack(dy + c, width - c, vdy);
            }
#pragma unroll
            for (int i = 0; i < kPack<T>; ++i)
                if (c + i < width) {
                    const float g = layout.keeps_columns ? gain[c + i] : gain_C[c + i];
                    vdy[i] = rstd * (vdy[i] * g - vx[i] * rstd * mean);
                }
            if constexpr (kAdds) {
                load_pack(dskip_NC + n * in.stride + c, width - c, vx);
#pragma unroll
                for (int i = 0; i < kPack<T>; ++i) vdy[i] += vx[i];
            }
            store_pack(dx_NC + n * in.stride + c, width - c, vdy);
        }
        __syncthreads();
    }
    if (layout.keeps_columns)
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += step)
            for (int i = 0; i < kPack<T> && c + i < width; ++i)
                parts_BC[blockIdx.x * width + c + i] = dgain[c + i];
}

}  // namespace

template <class T>
void run_rms_norm_forward(const DeviceInfo& device, const Stream& stream, const NormRows& in,
                          const T* x, const float* gain, T* y, float* rstd, double eps,
                          const T* residual, T* sum) {
    const Layout layout = layout_for(in.width, 1, 1, sizeof(T), device.most_shared);
    const Launch shape{std::min<int64_t>(in.rows, 8 * device.multiprocessors),
                       row_threads((in.width + kPack<T> - 1) / kPack<T>), layout.bytes};
    const auto kernel =
        residual != nullptr ? rms_norm_forward<T, true> : rms_norm_forward<T, false>;
    launch("rms_norm.forward", kernel, shape, stream, x, residual, gain, sum, y, rstd, in,
           static_cast<float>(eps), layout);
}
template <class T>
void run_rms_norm_backward(const DeviceInfo& device, const Stream& stream, const NormRows& in,
                           const T* x, const float* gain, const float* rstd, const T* dy, T* dx,
                           float* dgain, float* scratch, const T* dskip) {
    const Layout layout = layout_for(in.width, 2, 2, sizeof(T), device.most_shared);
    const Launch shape{row_blocks(in.rows), row_threads((in.width + kPack<T> - 1) / kPack<T>),
                       layout.bytes};
    const auto kernel = dskip != nullptr ? rms_norm_backward<T, true> : rms_norm_backward<T, false>;
    launch("rms_norm.backward", kernel, shape, stream, x, gain, rstd, dy, dskip, dx, scratch, in,
           layout);
    add_parts(scratch, shape.blocks, in.width, dgain, stream);
}
#define INSTANTIATE(T)                                                                            \
    template void run_rms_norm_forward(const DeviceInfo&, const Stream&, const NormRows&,         \
                                       const T*, const float*, T*, float*, double, const T*, T*); \
    template void run_rms_norm_backward(const DeviceInfo&, const Stream&, const NormRows&,        \
                                        const T*, const float*, const float*, const T*, T*,       \
                                        float*, float*, const T*)
INSTANTIATE(float);
INSTANTIATE(BFloat16);

void register_rms_norm(OpTable& table, const DeviceInfo& device) {
    add_cuda<RmsNormForward>(
        table, &RmsNormForward::x_NC, [device](const RmsNormForward& op, const Stream& stream) {
            with_storage(op.x_NC, [&](auto t) {
                using T = decltype(t);
                run_rms_norm_forward(device, stream, NormRows::of(op.x_NC), data_of<T>(op.x_NC),
                                     data_of<float>(op.gain_C), data_of<T>(op.y_NC),
                                     data_of<float>(op.rstd_N), op.eps,
                                     op.adds() ? data_of<T>(op.residual_NC) : nullptr,
                                     data_of<T>(op.sum_NC));
            });
        });
    add_cuda<RmsNormBackward>(
        table, &RmsNormBackward::x_NC,
        [device](const RmsNormBackward& op, const Stream& stream) {
            with_storage(op.x_NC, [&](auto t) {
                using T = decltype(t);
                run_rms_norm_backward(device, stream, NormRows::of(op.x_NC), data_of<T>(op.x_NC),
                                      data_of<float>(op.gain_C), data_of<float>(op.rstd_N),
                                      data_of<T>(op.dy_NC), data_of<T>(op.dx_NC),
                                      data_of<float>(op.dgain_C), data_of<float>(op.scratch),
                                      op.adds() ? data_of<T>(op.dskip_NC) : nullptr);
            });
        },
        [](const RmsNormBackward& op) {
            return norm_scratch_bytes(op.x_NC.dim(0), op.x_NC.dim(1));
        });
}

}  // namespace polytrain::cuda
