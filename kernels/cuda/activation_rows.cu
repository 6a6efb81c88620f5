// The row family: y_j = c_0 + sum_i c_i b_j^i with b = base(x), c_i = a_i s_i. A block to a row at
// a time, whose packs are staged, so that each is read from global memory once; `up` of the gated
// form is read where it is used.

#include "kernels/cuda/activation_functions.hpp"
#include "kernels/cuda/row_packs.hpp"

namespace polytrain::cuda {
namespace {

// r where the kernel is compiled for it, else as it is at run time. Arrays over powers have 0s past
// it.
template <int kOrder>
struct Order {
    static constexpr int kMost = kOrder > 0 ? kOrder : kMaxActivationOrder;
    int at_run_time;
    __device__ __forceinline__ int operator()() const { return kOrder > 0 ? kOrder : at_run_time; }
    // f(i, whether i <= r), i = 0 .. kMost.
    template <class F>
    __device__ __forceinline__ void for_powers(F&& f) const {
#pragma unroll
        for (int i = 0; i <= kMost; ++i) f(i, kOrder > 0 || i <= at_run_time);
    }
};

template <int kMost>
__device__ __forceinline__ float polynomial(float b, const float (&c)[kMost]) {
    float y = c[kMost - 1];
#pragma unroll
    for (int i = kMost - 2; i >= 0; --i) y = y * b + c[i];
    return y;
}

// At most. The compiled orders fit two blocks on a multiprocessor.
constexpr int kRowThreads = 512;

template <class T, class A, int kOrder, bool kGated>
__global__ void __launch_bounds__(kRowThreads, kOrder > 0 ? 2 : 1)
    row_forward(const T* x_NX, const float* a_P, T* y_NF, float* rstd_NR, int64_t rows, int width,
                Order<kOrder> order, int staged_columns) {
    constexpr int kMost = Order<kOrder>::kMost;
    constexpr int kRows = kGated ? 2 : 1;
    DYNAMIC_SHARED(T, staged);
    SHARED_ARRAY(float, sums, 32 * kMost);
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x) {
        const T* const x[1] = {x_NX + n * kRows * width};
        float squares[kMost] = {};
        for_packs_staging<4, 1>(x, width, staged, staged_columns,
                                [&](int c, const uint4(&packs)[1]) {
                                    float v[kPack<T>];
                                    unpack(packs[0], v);
#pragma unroll
                                    for (int j = 0; j < kPack<T>; ++j) {
                                        const float b = c + j < width ? A::base(v[j]) : 0.0f;
                                        float power = b;
#pragma unroll
                                        for (int i = 0; i < kMost; ++i) {
                                            squares[i] += power * power;
                                            power *= b;
                                        }
                                    }
                                });
        block_sums(squares, sums);
        float coefficients[kMost + 1];
        order.for_powers([&](int i, bool is_used) {
            coefficients[i] = is_used ? a_P[i] : 0.0f;
            if (i == 0 || !is_used) return;
            const float rstd = rsqrtf(squares[i - 1] / static_cast<float>(width) +
                                      static_cast<float>(kRowNormEps));
            if (threadIdx.x == 0) rstd_NR[n * order() + i - 1] = rstd;
            coefficients[i] *= rstd;
        });
        const T* gate_and_up[kRows];
        gate_and_up[0] = x[0];
        if constexpr (kGated) gate_and_up[1] = x[0] + width;
        T* const y = y_NF + n * width;
        for_packs<2, 1>(gate_and_up, width, staged, staged_columns,
                        [&](int c, const uint4(&packs)[kRows]) {
                            float v[kPack<T>], up[kPack<T>];
                            unpack(packs[0], v);
                            if constexpr (kGated) unpack(packs[1], up);
#pragma unroll
                            for (int j = 0; j < kPack<T>; ++j) {
                                v[j] = polynomial(A::base(v[j]), coefficients);
                                if constexpr (kGated) v[j] *= up[j];
                            }
                            store_pack(y + c, width - c, v);
                        });
        __syncthreads();  // before the next row's sums
    }
}

// parts_BP: what each block's rows add to da.
template <class T, class A, int kOrder, bool kGated>
__global__ void __launch_bounds__(kRowThreads, kOrder > 0 ? 2 : 1)
    row_backward(const T* x_NX, const float* a_P, const float* rstd_NR, const T* dy_NF, T* dx_NX,
                 float* parts_BP, int64_t rows, int width, Order<kOrder> order,
                 int staged_columns) {
    constexpr int kMost = Order<kOrder>::kMost;
    constexpr int kRows = kGated ? 3 : 2;  // gate, dy, up
    constexpr int kTurns = kOrder > 0 && !kGated ? 2 : 1;
    DYNAMIC_SHARED(T, staged);
    SHARED_ARRAY(float, sums, 32 * (kMost + 1));
    float da[kMost + 1] = {};
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x) {
        const int64_t x_begin = n * (kRows - 1) * width;
        const T* from[kRows];
        from[0] = x_NX + x_begin;
        from[1] = dy_NF + n * width;
        if constexpr (kGated) from[2] = from[0] + width;
        float dots[kMost + 1] = {};  // G_i = sum_j g_j b_j^i
        for_packs_staging<kTurns, kRows>(from, width, staged, staged_columns,
                                         [&](int, const uint4(&packs)[kRows]) {
                                             float v[kPack<T>], g[kPack<T>], up[kPack<T>];
                                             unpack(packs[0], v);
                                             unpack(packs[1], g);
                                             if constexpr (kGated) unpack(packs[2], up);
#pragma unroll
                                             for (int j = 0; j < kPack<T>; ++j) {
                                                 const float b = A::base(v[j]);
                                                 float term = g[j];  // 0 past the row
                                                 if constexpr (kGated) term *= up[j];
                                                 dots[0] += term;
#pragma unroll
                                                 for (int i = 1; i <= kMost; ++i) {
                                                     term *= b;
                                                     dots[i] += term;
                                                 }
                                             }
                                         });
        block_sums(dots, sums);
        // db = g sum_i linear_i b^(i-1) - b sum_i odd_i b^(2i-2): f's derivative by b itself, and
        // through the norms.
        float coefficients[kMost + 1], linear[kMost], odd[kMost];
        order.for_powers([&](int i, bool is_used) {
            coefficients[i] = is_used ? a_P[i] : 0.0f;
            if (i == 0) {
                da[0] += dots[0];
                return;
            }
            const float rstd = is_used ? rstd_NR[n * order() + i - 1] : 0.0f;
            const float normed = is_used ? rstd * dots[i] : 0.0f;
            da[i] += normed;
            coefficients[i] *= rstd;
            linear[i - 1] = static_cast<float>(i) * coefficients[i];
            odd[i - 1] = linear[i - 1] * rstd * (normed / static_cast<float>(width));
        });
        T* const dx = dx_NX + x_begin;
        for_packs<1, kRows>(from, width, staged, staged_columns,
                            [&](int c, const uint4(&packs)[kRows]) {
                                float v[kPack<T>], g[kPack<T>], up[kPack<T>];
                                unpack(packs[0], v);
                                unpack(packs[1], g);
                                if constexpr (kGated) unpack(packs[2], up);
#pragma unroll
                                for (int j = 0; j < kPack<T>; ++j) {
                                    const float b = A::base(v[j]);
                                    const float direct = polynomial(b, linear);
                                    const float through_norm = polynomial(b * b, odd);
                                    float term = g[j];
                                    if constexpr (kGated) {
                                        term *= up[j];
                                        up[j] = g[j] * polynomial(b, coefficients);
                                    }
                                    v[j] = (term * direct - b * through_norm) * A::d_base(v[j]);
                                }
                                store_pack(dx + c, width - c, v);
                                if constexpr (kGated) store_pack(dx + width + c, width - c, up);
                            });
        __syncthreads();
    }
    if (threadIdx.x == 0)
        order.for_powers([&](int i, bool is_used) {
            if (is_used) parts_BP[int64_t{blockIdx.x} * (order() + 1) + i] = da[i];
        });
}

// Calls f.template operator()<T, A, kOrder, kGated>() for the op.
template <class Op, class F>
void with_row_kernel(const Op& op, const Tensor& storage, const F& f) {
    with_activation(op.info->index, ActivationList{}, [&]<class A>(A) {
        if constexpr (A::kIsRowPolynomial)
            with_form(storage, op.gated, [&]<class T, bool kGated>() {
                with_order(op.order,
                           [&]<int kOrder>() { f.template operator()<T, A, kOrder, kGated>(); });
            });
    });
}
template <class T>
Launch row_shape(int64_t blocks, int64_t width, const Staged& staged) {
    return {blocks, row_threads((width + kPack<T> - 1) / kPack<T>, kRowThreads), staged.bytes};
}

}  // namespace

void run_row_activation(const ActivationForward& op, const DeviceInfo& device,
                        const Stream& stream) {
    const int64_t rows = op.y_NF.dim(0), width = op.y_NF.dim(1);
    with_row_kernel(op, op.y_NF, [&]<class T, class A, int kOrder, bool kGated>() {
        const Staged staged = staged_columns<T>(width, 1, device.most_shared);
        const int64_t blocks = std::min<int64_t>(rows, 8 * device.multiprocessors);
        launch("activation.forward", row_forward<T, A, kOrder, kGated>,
               row_shape<T>(blocks, width, staged), stream, data_of<T>(op.x_NX),
               data_of<float>(op.coefficients_P), data_of<T>(op.y_NF), data_of<float>(op.rstd_NR),
               rows, static_cast<int>(width), Order<kOrder>{op.order}, staged.columns);
    });
}

void run_row_activation(const ActivationBackward& op, const DeviceInfo& device,
                        const Stream& stream) {
    const int64_t rows = op.dy_NF.dim(0), width = op.dy_NF.dim(1);
    auto* parts = data_of<float>(op.scratch);
    with_row_kernel(op, op.dy_NF, [&]<class T, class A, int kOrder, bool kGated>() {
        const Staged staged = staged_columns<T>(width, kGated ? 3 : 2, device.most_shared);
        launch("activation.backward", row_backward<T, A, kOrder, kGated>,
               row_shape<T>(row_blocks(rows), width, staged), stream, data_of<T>(op.x_NX),
               data_of<float>(op.coefficients_P), data_of<float>(op.rstd_NR), data_of<T>(op.dy_NF),
               data_of<T>(op.dx_NX), parts, rows, static_cast<int>(width), Order<kOrder>{op.order},
               staged.columns);
    });
    add_parts(parts, row_blocks(rows), op.order + 1, data_of<float>(op.dcoefficients_P), stream);
}

size_t row_activation_scratch(const ActivationBackward& op) {
    return static_cast<size_t>(row_blocks(op.dy_NF.dim(0)) * (op.order + 1)) * sizeof(float);
}

}  // namespace polytrain::cuda
