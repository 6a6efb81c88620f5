// The pointwise activations: blocks go through tiles of a row, a pack to a thread. Without a gate
// all is one row.

#include "kernels/cuda/activation_functions.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// How a kernel has its coefficients: none; those of order kOrder, kMost at most, in registers; or,
// with kOrder < 0, of an order known at run time, in shared memory.
template <int kOrder, int kMost>
struct Mode {
    static constexpr int kCompiledOrder = kOrder, kMostCoefficients = kMost;
    // That backward's registers leave room for on a multiprocessor.
    static constexpr int kBlocks = kMost == 0 ? 5 : kOrder < 0 ? 2 : kOrder < 4 ? 4 : 3;
    int order, count;
};
using NoCoefficients = Mode<0, 0>;
using AtRunTime = Mode<-1, kMaxCoefficients>;
template <int kOrder>
using OfOrder = Mode<kOrder, kOrder + 2>;

// Their array in shared memory when it is there, else in registers.
template <class M>
__device__ __forceinline__ void read_coefficients(const float* a_P, M mode,
                                                  Coefficients<float>& a) {
#pragma unroll
    for (int k = 0; k < M::kMostCoefficients; ++k) a.values[k] = k < mode.count ? a_P[k] : 0.0f;
    a.order = M::kCompiledOrder;
}
#define ACTIVATION_COEFFICIENTS(name)                                                              \
    SHARED_ARRAY(Coefficients<float>, shared_coefficients, 1);                                     \
    Coefficients<float> own_coefficients;                                                          \
    if constexpr (M::kCompiledOrder < 0) {                                                         \
        const int k = static_cast<int>(threadIdx.x);                                               \
        if (k < kMaxCoefficients) shared_coefficients->values[k] = k < mode.count ? a_P[k] : 0.0f; \
        if (k == 0) shared_coefficients->order = mode.order;                                       \
        __syncthreads();                                                                           \
    } else {                                                                                       \
        read_coefficients(a_P, mode, own_coefficients);                                            \
    }                                                                                              \
    const Coefficients<float>& name =                                                              \
        M::kCompiledOrder < 0 ? *shared_coefficients : own_coefficients

// What the threads of a block take of the rows at once.
struct Tiles {
    int64_t width, per_row, count;
};
// The thread's place in a tile.
struct Place {
    int64_t row, column;
};
template <class T>
__device__ __forceinline__ Place place_in(const Tiles& tiles, int64_t tile) {
    const int64_t row = tiles.per_row == tiles.count ? 0 : tile / tiles.per_row;
    return {row, ((tile - row * tiles.per_row) * blockDim.x + threadIdx.x) * kPack<T>};
}

template <class T, class A, class M, bool kGated>
__global__ void __launch_bounds__(256)
    pointwise_forward(const T* x_NX, const float* a_P, T* y_NF, Tiles tiles, M mode) {
    ACTIVATION_COEFFICIENTS(a);
    for (int64_t tile = blockIdx.x; tile < tiles.count; tile += gridDim.x) {
        const auto [n, c] = place_in<T>(tiles, tile);
        const int64_t left = tiles.width - c;
        if (left <= 0) continue;
        const T* const x = x_NX + n * (kGated ? 2 : 1) * tiles.width + c;
        float v[kPack<T>], up[kPack<T>];
        load_pack(x, left, v);
        if constexpr (kGated) load_pack(x + tiles.width, left, up);
#pragma unroll
        for (int j = 0; j < kPack<T>; ++j) {
            v[j] = A::value(v[j], a);
            if constexpr (kGated) v[j] *= up[j];
        }
        store_pack(y_NF + n * tiles.width + c, left, v);
    }
}

// parts_BP: what each block adds to da.
template <class T, class A, class M, bool kGated>
__global__ void __launch_bounds__(256, M::kBlocks)
    pointwise_backward(const T* x_NX, const float* a_P, const T* dy_NF, T* dx_NX, float* parts_BP,
                       Tiles tiles, M mode) {
    constexpr int kMost = M::kMostCoefficients;
    ACTIVATION_COEFFICIENTS(a);
    float da[kMost > 0 ? kMost : 1] = {};
    for (int64_t tile = blockIdx.x; tile < tiles.count; tile += gridDim.x) {
        const auto [n, c] = place_in<T>(tiles, tile);
        const int64_t left = tiles.width - c;
        if (left <= 0) continue;
        const int64_t at = n * (kGated ? 2 : 1) * tiles.width + c;
        float v[kPack<T>], g[kPack<T>], up[kPack<T>];
        load_pack(x_NX + at, left, v);
        load_pack(dy_NF + n * tiles.width + c, left, g);
        if constexpr (kGated) load_pack(x_NX + at + tiles.width, left, up);
#pragma unroll
        for (int j = 0; j < kPack<T>; ++j) {
            if constexpr (kGated) {
                const float through_gate = g[j] * up[j];
                up[j] = g[j] * A::value(v[j], a);
                g[j] = through_gate;
            }
#pragma unroll
            for (int k = 0; k < kMost; ++k)
                if (k < mode.count && j < left) da[k] += g[j] * A::d_coefficient(k, v[j], a);
            v[j] = g[j] * A::d_input(v[j], a);
        }
        store_pack(dx_NX + at, left, v);
        if constexpr (kGated) store_pack(dx_NX + at + tiles.width, left, up);
    }
    if constexpr (kMost > 0) {
        SHARED_ARRAY(float, sums, 32 * kMost);
        block_sums(da, sums);
        if (threadIdx.x == 0) {
#pragma unroll
            for (int k = 0; k < kMost; ++k)
                if (k < mode.count) parts_BP[int64_t{blockIdx.x} * mode.count + k] = da[k];
        }
    }
}

// Calls f(mode) for an activation's coefficients.
template <class A, class F>
void with_mode(int order, int count, const F& f) {
    if constexpr (&A::coefficients == &Pointwise::coefficients) {
        f(NoCoefficients{0, 0});
    } else {
        if constexpr (A::kMaxOrder > 0)
            if (count <= order + 2) {
                bool is_compiled = true;
                with_order(order, [&]<int kOrder>() {
                    if constexpr (kOrder > 0)
                        f(OfOrder<kOrder>{order, count});
                    else
                        is_compiled = false;
                });
                if (is_compiled) return;
            }
        f(AtRunTime{order, count});
    }
}
// Calls f.template operator()<T, A, kGated>(mode) for the op.
template <class Op, class F>
void with_pointwise_kernel(const Op& op, const Tensor& storage, const F& f) {
    with_activation(op.info->index, ActivationList{}, [&]<class A>(A) {
        if constexpr (!A::kIsRowPolynomial)
            with_form(storage, op.gated, [&]<class T, bool kGated>() {
                with_mode<A>(op.order, op.info->coefficients(op.order),
                             [&](auto mode) { f.template operator()<T, A, kGated>(mode); });
            });
    });
}

// Few enough that what each leaves is little; a number of its own, so that sums have the same bits
// on all devices.
constexpr int64_t kMostBlocks = 2048;
// Tiles of [rows, width] and the launch that goes through them.
struct Shape {
    Tiles tiles;
    Launch launch;
};
Shape shape_of(const Tensor& y_NF, bool gated) {
    const int64_t rows = gated ? y_NF.dim(0) : 1;
    const int64_t width = gated ? y_NF.dim(1) : y_NF.elements();
    const int64_t pack = 16 / static_cast<int64_t>(size_of(y_NF.dtype));
    const int64_t packs = (width + pack - 1) / pack;
    const int threads = row_threads(packs, 256);
    const int64_t per_row = (packs + threads - 1) / threads;
    const Tiles tiles{width, per_row, rows * per_row};
    return {tiles, {std::min(tiles.count, kMostBlocks), threads}};
}

void run_pointwise(const ActivationForward& op, const Stream& stream) {
    const Shape shape = shape_of(op.y_NF, op.gated);
    with_pointwise_kernel(op, op.y_NF, [&]<class T, class A, bool kGated>(auto mode) {
        launch("activation.forward", pointwise_forward<T, A, decltype(mode), kGated>, shape.launch,
               stream, data_of<T>(op.x_NX), data_of<float>(op.coefficients_P), data_of<T>(op.y_NF),
               shape.tiles, mode);
    });
}
void run_pointwise(const ActivationBackward& op, const Stream& stream) {
    const Shape shape = shape_of(op.dy_NF, op.gated);
    auto* parts = data_of<float>(op.scratch);
    with_pointwise_kernel(op, op.dy_NF, [&]<class T, class A, bool kGated>(auto mode) {
        launch("activation.backward", pointwise_backward<T, A, decltype(mode), kGated>,
               shape.launch, stream, data_of<T>(op.x_NX), data_of<float>(op.coefficients_P),
               data_of<T>(op.dy_NF), data_of<T>(op.dx_NX), parts, shape.tiles, mode);
    });
    add_parts(parts, shape.launch.blocks, op.dcoefficients_P.elements(),
              data_of<float>(op.dcoefficients_P), stream);
}

template <class Op>
bool is_row_family(const Op& op) {
    return op.info->family == ActivationFamily::kRowPolynomial;
}

}  // namespace

void register_activation(OpTable& table, const DeviceInfo& device) {
    fill_catalog(table.activations(), ActivationList{});
    add_cuda<ActivationForward>(table, &ActivationForward::y_NF,
                                [device](const ActivationForward& op, const Stream& stream) {
                                    if (is_row_family(op))
                                        run_row_activation(op, device, stream);
                                    else
                                        run_pointwise(op, stream);
                                });
    add_cuda<ActivationBackward>(
        table, &ActivationBackward::dy_NF,
        [device](const ActivationBackward& op, const Stream& stream) {
            if (is_row_family(op))
                run_row_activation(op, device, stream);
            else
                run_pointwise(op, stream);
        },
        [](const ActivationBackward& op) {
            if (is_row_family(op)) return row_activation_scratch(op);
            return static_cast<size_t>(shape_of(op.dy_NF, op.gated).launch.blocks *
                                       op.dcoefficients_P.elements()) *
                   sizeof(float);
        });
}

}  // namespace polytrain::cuda
